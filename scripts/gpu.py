"""What only a machine with a GPU can tell, in one command of at most `minutes`, the most telling first:

    python scripts/gpu.py --out gpu.json

What is known is written after each part, so that a run that is cut loses only the part under way. On a CPU,
`--device cpu --minutes 2` goes through all parts but the notebooks' cells, at small sizes.
"""

import json
import platform
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median

import torch
from fastai.basics import DataLoaders, OptimWrapper, set_seed
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import Learner  # which has fit_one_cycle
from fastcore.script import call_parse
from torch import nn

from hyperbolic_lr import callback  # noqa: F401 (gives Learner its fit_hyperbolic)
from hyperbolic_lr.loader import TensorLoader
from hyperbolic_lr.replicas import train_together
from hyperbolic_lr.rivals import paper_schedules, rivals
from hyperbolic_lr.runner import Run, device_name, train
from hyperbolic_lr.tasks import _SmoothLoss, traonet

notebooks = [f'nbs/api/{o}.ipynb' for o in ('09_callback', '07_tasks', '03_loader')]


def pictures(seed: int, device: str, convolve: bool = False, n: int = 6400) -> Learner:
    "A small network on noise, which is as fast as on pictures"
    set_seed(seed)
    x, y = torch.randn(n, 1, 14, 14, device=device), torch.randint(10, (n,), device=device)
    linear = [nn.Flatten(), nn.Linear(196, 32), nn.ReLU(), nn.Linear(32, 10)]
    conv = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(392, 10)]
    dls = DataLoaders(
        TensorLoader((x, y), bs=64, shuffle=True), TensorLoader((x[:640], y[:640]), bs=640), device=device
    )
    model = nn.Sequential(*(conv if convolve else linear)).to(device)
    opt_func = partial(OptimWrapper, opt=torch.optim.AdamW)
    learn = Learner(dls, model, loss_func=nn.CrossEntropyLoss(), opt_func=opt_func).remove_cb(ProgressCallback)
    learn.recorder.smooth_loss = _SmoothLoss()  # which does not fetch the loss after each batch
    return learn


def cuda_test(path: str, seconds: float) -> str:
    "How a notebook failed with its cells that need a GPU, or ''"
    command = [sys.executable, '-c', f"from nbdev.test import nbdev_test; nbdev_test({path!r}, flags='cuda')"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        return '' if not done.returncode else (done.stdout + done.stderr)[-3000:]
    except (OSError, subprocess.TimeoutExpired) as e:
        return str(e)


def cuda_cells(device: str, seconds: float) -> dict:
    "{notebook: '' or how it failed}, all at once"
    if device == 'cpu':
        return {}
    with ThreadPoolExecutor() as pool:
        return dict(zip(notebooks, pool.map(partial(cuda_test, seconds=seconds), notebooks)))


def waits(fit) -> int:
    "How often a fit waits for the GPU, as PyTorch counts it"
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            fit()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    return sum('synchronizing' in str(o.message) for o in caught)


def callback_cost(device: str, seconds: float) -> dict:
    "Medians of milliseconds per step, and waits for the GPU per epoch, without a schedule and with one"
    learn = pictures(0, device)
    ways = {
        'fit': lambda: learn.fit(1, 1e-3),
        'fit_hyperbolic': lambda: learn.fit_hyperbolic(1, 1e-3, upper_bound=2),
        'fit_one_cycle': lambda: learn.fit_one_cycle(1, 1e-3),
    }
    times: dict = {k: [] for k in ways}
    end = time.perf_counter() + seconds
    with learn.no_logging():
        while time.perf_counter() < end and len(times['fit']) < 20:
            for name, fit in ways.items():
                start = time.perf_counter()
                fit()
                if device != 'cpu':
                    torch.cuda.synchronize()
                times[name].append(1e3 * (time.perf_counter() - start) / len(learn.dls.train))
        found = {k: dict(ms=median(v), n=len(v)) for k, v in times.items() if v}
        if device != 'cpu':
            for k, fit in ways.items():
                found[k]['waits'] = waits(fit)
    return found


def replicas_per_second(device: str, seconds: float) -> list:
    "Epochs of single replicas per second, in stacks and alone"
    rival, found, end = rivals(1)['linear'], [], time.perf_counter() + seconds
    for convolve in (False, True):
        task = partial(pictures, device=device, convolve=convolve)
        for R in (1, 1, 30, 240) if device == 'cpu' else (1, 1, 30, 240, 1000):  # the first warms up
            if time.perf_counter() > end:
                return found
            runs = [Run('linear', 1, i % 4, 1, {'lr': 1e-3 * 1.01**i}) for i in range(R)]
            start = time.perf_counter()
            results = [train(task, rival, runs[0])] if R == 1 else train_together(task, rival, runs)
            took = time.perf_counter() - start
            states = {o['status'] for o in results}
            found.append(
                dict(model='convolution' if convolve else 'perceptron', R=R, per_second=R / took, states=[*states])
            )
    return found


def paper_task(device: str, seconds: float) -> list:
    "TraONet of the paper at its size under H, EH and C at one rate, 50 epochs each, as far as the time goes"
    known, found, end = paper_schedules(200), [], time.perf_counter() + seconds
    small = dict(n=100, points=20, d_model=16, d_ff=32, n_layers=1) if device == 'cpu' else {}
    own = dict(C=dict(eta_min=1e-6)) | {k: dict(infimum_lr=1e-6, upper_bound=250.0) for k in ('H', 'EH')}
    for name in ('H', 'EH', 'C'):
        left = end - time.perf_counter()
        if left < 5:
            break
        run = Run(name, 2 if device == 'cpu' else 50, 89, 50, {'lr': 1e-3, **own[name]})
        result = train(partial(traonet, device=device, **small), known[name], run, by='epoch', time_limit=left)
        last = {k: v[-1] for k, v in result['curves'].items()}
        found.append(dict(schedule=name, status=result['status'], seconds=result['seconds'], **last))
    return found


@call_parse
def main(
    device: str = 'cuda',  # Where to train
    minutes: float = 9,  # After which it stops
    out: str = 'gpu.json',  # File of what was found
):
    "Measure, part by part"
    # each with its share of the time that is left
    parts = dict(cells=(cuda_cells, 0.4), callback=(callback_cost, 0.2), paper=(paper_task, 0.6))
    parts['replicas'] = (replicas_per_second, 1)
    start = time.perf_counter()
    found: dict = dict(
        machine=device_name(nn.Linear(1, 1).to(device)),
        versions={o: metadata.version(o) for o in ('torch', 'fastai')} | dict(python=platform.python_version()),
        date=time.strftime('%Y-%m-%d'),
        command=f'python scripts/gpu.py --device {device} --minutes {minutes:g}',
    )
    for name, (part, share) in parts.items():
        left = 60 * minutes - (time.perf_counter() - start)
        if left < 5:
            break
        try:
            found[name] = part(device, left * share)
        except Exception as e:
            found[name] = f'{type(e).__name__}: {e}'
        Path(out).write_text(json.dumps(found, indent=1) + '\n')
        print(name, json.dumps(found[name])[:1500], flush=True)
