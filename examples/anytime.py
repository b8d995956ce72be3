"""One trunk and a cooldown whenever a model is wanted, beside runs that were planned so long, on Fashion-MNIST.

`folder` holds the four files of Fashion-MNIST (github.com/zalandoresearch/fashion-mnist, or Debian's package
dataset-fashion-mnist). Every run is stored once it has ended, so the same command goes on where it was cut. The page
"Stop when you like, go on when you like" reads the tables.
"""

import gzip
import json
import os
import platform
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import metadata
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.basics import DataLoaders, Learner, OptimWrapper, accuracy, noop, set_seed
from fastai.callback.progress import ProgressCallback
from fastcore.script import call_parse
from joblib import Parallel, delayed
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR

from hyperbolic_lr.anytime import Preview
from hyperbolic_lr.callback import SchedulerCallback
from hyperbolic_lr.loader import TensorLoader
from hyperbolic_lr.runner import device_name
from hyperbolic_lr.tasks import deeponet, digits, oscillation, random_crop_flip

longest = 40  # U: twice the longest run, since nobody knows how long it will be
stops = {4: 1, 8: 2, 16: 4}  # epochs of the trunk, and of the cooldown that then begins
budgets = [5, 10, 20]
grid = [0.032 / 2 ** (i / 2) for i in range(11)]  # peak rates, half an octave apart
tune_seeds, seeds = [100, 101, 102, 103], [*range(10)]
shares = [0.03, 0.1, 0.3]  # half-lives of the preview


@cache
def images(folder: str, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    "Images (n, 1, 28, 28) as bytes, and labels"
    with gzip.open(Path(folder) / f'{split}-images-idx3-ubyte.gz') as f:
        x = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(Path(folder) / f'{split}-labels-idx1-ubyte.gz') as f:
        y = np.frombuffer(f.read(), np.uint8, offset=8)
    return torch.tensor(x), torch.tensor(y, dtype=torch.long)


def scaled(batch: tuple) -> tuple:
    return batch[0] / 255 - 0.2860, batch[1]


def shifted(batch: tuple) -> tuple:
    return scaled((random_crop_flip(batch[0], pad=2), batch[1]))


def fashion(folder: str, seed: int) -> Learner:
    "A perceptron on shifted images: 50,000 to train on, 10,000 to tune with, 10,000 to test with"
    (x, y), test = images(folder, 'train'), images(folder, 't10k')
    set_seed(seed)
    dls = DataLoaders(
        TensorLoader((x[:50_000], y[:50_000]), bs=250, shuffle=True, drop_last=True, after_batch=shifted),
        TensorLoader((x[50_000:], y[50_000:]), bs=5000, after_batch=scaled),
        TensorLoader(test, bs=5000, after_batch=scaled),
    )
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    opt_func = partial(OptimWrapper, opt=torch.optim.Adam)
    return Learner(dls, model, loss_func=nn.CrossEntropyLoss(), opt_func=opt_func, metrics=accuracy)


def quiet(learn: Learner, folder: str) -> Learner:
    learn.remove_cb(ProgressCallback)
    learn.logger, learn.path = noop, Path(folder)
    return learn


def measured(learn: Learner, budget: int) -> dict:
    valid, test = learn.validate(1), learn.validate(2)
    return dict(budget=budget, valid_loss=valid[0], test_loss=test[0], test_accuracy=test[1])


def valid_loss(learn: Learner, budget: int) -> float:
    return learn.validate()[0]


def line(learn: Learner, n: int, lr: float, **kwargs):
    learn.fit_hyperbolic(n, lr, upper_bound=longest, infimum_ratio=0.0, trunk='upper_bound', **kwargs)


def exponential(learn: Learner, n: int, lr: float, **kwargs):
    learn.fit_exp_hyperbolic(n, lr, upper_bound=longest, infimum_ratio=0.1, trunk='upper_bound', **kwargs)


def constant(learn: Learner, n: int, lr: float, **kwargs):
    learn.fit(n, lr, **kwargs)


def branches(fit: Callable, learn: Learner, lr: float, until: int, measure: Callable = measured) -> Iterator:
    "One trunk, and from it a cooled branch at every stop"
    before = 0
    for stop, cool in stops.items():
        if stop + cool <= until:
            fit(learn, stop, lr, start_epoch=before)
            with learn.branch():
                learn.fit_cooldown(cool)
                yield measure(learn, stop + cool)
            before = stop


def planned(fit: Callable, learn: Learner, lr: float, until: int) -> Iterator[dict]:
    "A run that was planned for `until` epochs"
    fit(learn, until, lr)
    yield measured(learn, until)


def restarted_cosine(learn: Learner, lr: float, until: int) -> Iterator[dict]:
    "A cosine of 5 epochs, another of 5, and one of 10"
    before = 0
    for end in budgets:
        if end <= until:
            cosine(learn, end - before, lr)
            yield measured(learn, end)
            before = end


def extended(learn: Learner, lr: float, until: int) -> Iterator[dict]:
    "HyperbolicLR without a cooldown, extended from 5 to 10 to 20 epochs"
    before = None
    for end in budgets:
        if end <= until:
            learn.fit_hyperbolic(end, lr, upper_bound=longest, start_epoch=before or 0, extend_from=before)
            yield measured(learn, end)
            before = end


def cosine(learn: Learner, n: int, lr: float):
    learn.fit(n, lr, cbs=SchedulerCallback(CosineAnnealingLR))


def linear(learn: Learner, n: int, lr: float):
    learn.fit(n, lr, cbs=SchedulerCallback(lambda opt, steps: LinearLR(opt, 1, 0, steps)))


def hyperbolic(learn: Learner, n: int, lr: float):
    learn.fit_hyperbolic(n, lr, upper_bound=longest)


def line_cooled(learn: Learner, n: int, lr: float):
    line(learn, n, lr, cooldown=0.2)


one_run = {  # what one training gives for all budgets
    'trunk, branches': partial(branches, line),
    'exp trunk, branches': partial(branches, exponential),
    'constant, branches': partial(branches, constant),
    'cosine, restarted': restarted_cosine,
    'HyperbolicLR, extended': extended,
}
each_budget = {  # what is trained anew for each
    'cosine, planned': partial(planned, cosine),
    'linear, planned': partial(planned, linear),
    'HyperbolicLR, planned': partial(planned, hyperbolic),
    'trunk and cooldown, planned': partial(planned, line_cooled),
}
methods = one_run | each_budget
retuned = ['cosine, planned', 'trunk and cooldown, planned']
same_at_5 = {  # at 5 epochs these are the same runs, or as good as the same, and so are their best rates
    'cosine, restarted': 'cosine, planned',
    'HyperbolicLR, extended': 'HyperbolicLR, planned',
    'trunk and cooldown, planned': 'trunk, branches',
}


def run(folder: str, store: Path, method: str, lr: float, seed: int, until: int):
    "One training, stored as a JSON file; nothing if it is there"
    path = store / f'{method}-{lr:.6g}-{seed}-{until}.json'
    if path.exists():
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        learn = quiet(fashion(folder, seed), temporary)
        rows = [*methods[method](learn, lr, until)]
    unfinished = path.with_suffix('.tmp')
    unfinished.write_text(json.dumps([dict(method=method, lr=lr, seed=seed) | row for row in rows]))
    os.replace(unfinished, path)


def table(store: Path) -> pd.DataFrame:
    return pd.DataFrame([row for path in sorted(store.glob('*.json')) for row in json.loads(path.read_text())])


def best_rate(rows: pd.DataFrame, method: str, budget: int) -> float:
    chosen = rows[(rows['method'] == method) & (rows['budget'] == budget) & rows['seed'].isin(tune_seeds)]
    return float(chosen.groupby('lr')['valid_loss'].mean().idxmin())


def preview_rows(name: str, make: Callable[[int], Learner], lr: float, seed: int) -> list[dict]:
    "What three previews say at each stop of a trunk, and what a cooldown then brings"
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for share in shares:
            learn = quiet(make(seed), temporary)
            preview = Preview(share)
            line(learn, 16, lr, cbs=preview)
            column = list(learn.recorder.metric_names).index('average_loss') - 1
            for stop in stops:
                raw, average = (learn.recorder.values[stop - 1][i] for i in (1, column))
                rows.append(dict(task=name, seed=seed, stop=stop, share=share, raw=raw, average=average))
        learn = quiet(make(seed), temporary)
        cooled = dict(zip(stops, branches(line, learn, lr, max(budgets), measure=valid_loss)))
    for row in rows:
        row['cooled'] = cooled[row['stop']]
    return rows


def preview_tasks(folder: str, lr: float) -> dict:
    "Tasks and peak rates of the preview; those of other pages are small ones"
    wave = partial(oscillation, history=20, horizon=10, hidden=32, n_layers=1, dt=1e-2)
    operator = partial(deeponet, n=1000, points=50, width=64, depth=3, n_basis=20, bs=64)
    return {
        'fashion': (partial(fashion, folder), lr),
        'digits': (partial(digits, bs=64), 3e-3),
        'oscillation': (wave, 3e-3),
        'deeponet': (operator, 3e-3),
    }


@call_parse
def main(
    folder: str,  # With the four files of Fashion-MNIST
    jobs: int = 2,  # Trainings at once
    store: str = 'anytime-runs',  # Folder of the runs; the same command goes on from there
    out: str = 'nbs/results/anytime',  # Folder of the tables
):
    "Tune at 5 epochs, train for 5, 10 and 20, and store all that the page needs"
    runs = Path(store)
    runs.mkdir(parents=True, exist_ok=True)
    do = partial(run, folder, runs)
    pool = Parallel(jobs, backend='multiprocessing')
    print(time.strftime('%H:%M'), 'tuning', flush=True)
    pool(delayed(do)(m, lr, s, 5) for m, lr, s in product(methods.keys() - same_at_5.keys(), grid, tune_seeds))
    pool(delayed(do)(m, lr, s, n) for m, lr, s, n in product(retuned, grid[2:9], tune_seeds[:2], [10, 20]))
    rows = table(runs)
    rates = {m: best_rate(rows, same_at_5.get(m, m), 5) for m in methods}
    print(time.strftime('%H:%M'), rates, flush=True)
    pool(delayed(do)(m, rates[m], s, 20) for m, s in product(one_run, seeds))
    pool(delayed(do)(m, rates[m], s, n) for m, s, n in product(each_budget, seeds, budgets))
    pool(delayed(do)(m, best_rate(rows, m, n), s, n) for m, s, n in product(retuned, seeds, [10, 20]))
    print(time.strftime('%H:%M'), 'previews', flush=True)
    tasks = preview_tasks(folder, rates['trunk, branches'])
    previews = pool(delayed(preview_rows)(name, *tasks[name], s) for name, s in product(tasks, seeds))
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    table(runs).sort_values(['method', 'budget', 'lr', 'seed']).to_csv(target / 'runs.csv', index=False)
    pd.DataFrame(sum(previews, [])).to_csv(target / 'previews.csv', index=False)
    settings = dict(
        command=shlex.join(['python', 'examples/anytime.py', 'DIR', '--jobs', str(jobs)]),
        longest=longest,
        stops={str(k): v for k, v in stops.items()},
        budgets=budgets,
        grid=grid,
        tune_seeds=tune_seeds,
        seeds=seeds,
        preview_rates={name: lr for name, (_, lr) in tasks.items()},
        versions={o: metadata.version(o) for o in ('torch', 'fastai', 'numpy')}
        | dict(python=platform.python_version()),
        machine=device_name(nn.Identity()),
        date=time.strftime('%Y-%m-%d'),
    )
    (target / 'settings.json').write_text(json.dumps(settings, indent=1) + '\n')
