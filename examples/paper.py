"""The paper's experiment (arXiv 2407.15200): its tasks and schedules and the horizon rule, tuned short, trained longer.

Tuned on a grid of peak rates, the rate for a seed on the other seeds; each seed draws its own training, validation and
test set (CIFAR-10 keeps its official test set). The paper searched other parameters as well; here they stay in the
middle of its ranges.

The run can be cut at any moment. The same command goes on from what is in `store`, on another machine too if the folder
is taken there; only the trainings that were under way are done again. CIFAR-10 is downloaded by fastai, or put the
official batches into `~/.fastai/data/cifar-10-python` yourself (FASTAI_HOME moves `~/.fastai`).
"""

import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from fastcore.script import call_parse

from hyperbolic_lr.models import simple_cnn
from hyperbolic_lr.protocol import Protocol
from hyperbolic_lr.results import Results
from hyperbolic_lr.rivals import Rival, paper_schedules
from hyperbolic_lr.tasks import cifar10, deeponet, oscillation, traonet

tasks = dict(oscillation=oscillation, traonet=traonet, deeponet=deeponet, cifar10=cifar10)
small = dict(
    oscillation=dict(history=20, horizon=10, hidden=32, n_layers=1, dt=1e-2),
    traonet=dict(n=500, points=20, d_model=32, d_ff=128, n_layers=1, bs=64),
    deeponet=dict(n=4000, points=100, width=128, bs=128),
    cifar10=dict(model=partial(simple_cnn, 16, 64), fraction=0.02),
)
stacked = dict(deeponet=50)  # runs at once: at this size a perceptron gains by it, the other models do not
small_budget = dict(oscillation=15, traonet=15, deeponet=15, cifar10=10)  # the shortest; the paper's is 50
seeds = [89, 231, 928, 814, 269]  # the paper's


def names(text: str) -> list[str]:
    "Names with commas between them, as a list"
    return [o.strip() for o in text.split(',') if o.strip()]


def check_names(option: str, chosen: list[str], known: list[str]):
    if strange := [o for o in chosen if o not in known]:
        raise SystemExit(f'{option} must be names out of {known}, got {strange}')


def check_options(size: str, only: str, under: str, retune: str, device: str):
    if size not in ('small', 'paper'):
        raise SystemExit(f"size must be 'small' or 'paper', got {size!r}")
    known = list(schedules(200))
    check_names('only', names(only), list(tasks))
    check_names('under', names(under), known)
    check_names('retune', names(retune), names(under) or known)
    if device.startswith('cuda') and not torch.cuda.is_available():
        raise SystemExit(f'device {device!r} cannot be used: PyTorch finds no GPU')


def check_numbers(trials: int, jobs: int):
    if trials < 1 or not jobs:
        raise SystemExit(f'trials must be at least 1, jobs not 0, got {trials}, {jobs}')


def schedules(longest: int) -> dict[str, Rival]:
    "The paper's schedules, and the cosine with the horizon rule (arXiv 2409.19913)"
    paper = paper_schedules(longest)
    return paper | {'C-horizon': replace(paper['C'], name='C-horizon', lr_exponent=-0.32)}


def budgets_of(name: str, size: str) -> list[int]:
    shortest = 50 if size == 'paper' else small_budget[name]
    return [shortest * i for i in (1, 2, 3, 4)]


def task_of(name: str, size: str, device: str) -> Callable:
    sizes = small[name] if size == 'small' else {}
    return partial(tasks[name], own_split=True, **sizes, **({'device': device} if device else {}))


def run(protocol: Protocol, jobs: int, out: Path) -> Results:
    "Train, and write the tables when all is finished, or as far as it is when Ctrl-C comes"
    try:
        protocol.run(jobs=jobs)
    finally:
        results = protocol.results()
        results.settings['command'] = shlex.join(['python', *sys.argv])
        results.save(out)
    return results


@call_parse
def main(
    size: str = 'small',  # 'small' is what a CPU does in an hour or two, 'paper' is the paper's own size
    only: str = '',  # Some of the tasks, with commas, in the order in which they are to run; empty for all
    under: str = '',  # Some of the schedules, with commas, which are then all that the tables hold; empty for all
    retune: str = '',  # Schedules to tune at every budget, for the oracle, with commas
    trials: int = 7,  # Peak rates to begin with
    device: str = '',  # Where to train, for instance 'cuda'; empty for the CPU
    jobs: int = 2,  # Trainings at once
    store: str = 'paper-runs',  # Folder of the runs, one below it for each task; the same command goes on from there
    out: str = '',  # Folder of the tables, one below it for each task; empty for those in `store`
):
    "Train, and write the tables of each task when it is finished, or as far as it is when Ctrl-C comes"
    check_options(size, only, under, retune, device)
    check_numbers(trials, jobs)
    for name in names(only) or tasks:
        budgets, task = budgets_of(name, size), task_of(name, size, device)
        rivals = schedules(budgets[-1])
        rivals = {k: rivals[k] for k in names(under) or rivals}
        options = dict(by='epoch', search='grid', trials=trials, replicas=stacked.get(name, 1))
        print(f'{time.strftime("%H:%M")} {name} at {budgets} epochs under {", ".join(rivals)}', flush=True)
        protocol = Protocol(task, rivals, budgets, seeds, retune=names(retune), store=Path(store) / name, **options)
        results = run(protocol, jobs, Path(out or Path(store) / 'tables') / name)
        if not len(results.curves):
            raise SystemExit(f'{name}: no run has come to its end. The errors are in {Path(store, name, "log.txt")}')
        print(results.table('test_loss', 'min', text=True).to_string(), results.finding(), sep='\n\n', flush=True)
