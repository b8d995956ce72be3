"""The paper's experiment (arXiv 2407.15200): its three tasks under its six schedules and the horizon rule, tuned on short runs and then trained for longer.

The run can be cut at any moment. The same command goes on from what is in `store`, on another machine too if the folder is taken there; only
the trainings that were under way are done again. CIFAR-10 is downloaded by fastai, or put the official batches into
`~/.fastai/data/cifar-10-python` yourself (FASTAI_HOME moves `~/.fastai`).
"""

import json
import shlex
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from fastcore.script import call_parse
from optuna.distributions import FloatDistribution

from hyperbolic_lr.protocol import Protocol
from hyperbolic_lr.results import Results
from hyperbolic_lr.rivals import paper_schedules
from hyperbolic_lr.tasks import cifar10, deeponet, oscillation, traonet
from hyperbolic_lr.models import simple_cnn

tasks = dict(oscillation=oscillation, traonet=traonet, deeponet=deeponet, cifar10=cifar10)
small = dict(
    oscillation=dict(history=20, horizon=10, hidden=32, n_layers=1, dt=1e-2),
    traonet=dict(n=500, points=20, d_model=32, d_ff=128, n_layers=1, bs=64),
    deeponet=dict(n=1000, points=50, width=64, depth=3, n_basis=20, bs=64),
    cifar10=dict(model=partial(simple_cnn, 16, 64), fraction=0.02),
)
seeds = [89, 231, 928, 814, 269]  # the paper's


def schedules(longest):
    "The paper's schedules, and the cosine with the horizon rule (arXiv 2409.19913)"
    res = paper_schedules(longest)
    return res | {'C-horizon': replace(res['C'], name='C-horizon', lr_exponent=-0.32)}


def scaled(rivals, results):
    "The horizon rule on what was found for C, which leaves nothing to tune; none if C is not tuned yet"
    found = results.trials.query('schedule=="C" and best and budget==@results.settings["budgets"][0]').params
    if not len(found):
        return {}
    space = {k: FloatDistribution(v, v) for k, v in json.loads(found.item()).items()}
    return {'C-scaled': replace(rivals['C'], name='C-scaled', lr_exponent=-0.32, space=space)}


def joined(a, b):
    "Both results in one"
    return Results(
        **{k: pd.concat([getattr(a, k), getattr(b, k)]) for k in ('curves', 'runs', 'trials', 'schedules')},
        settings=a.settings,
    )


@call_parse
def main(
    size: str = 'small',  # 'small' is what a CPU does in an hour or two, 'paper' is the paper's own size
    only: str = '',  # Some of the tasks, with commas, in the order in which they are to run; empty for all
    under: str = '',  # Some of the schedules, with commas, which are then all that the tables hold; empty for all
    retune: str = '',  # Schedules to tune at every budget, for the oracle, with commas
    trials: int = 25,  # Hyper-parameters to try per schedule, each with the first `tune` of the seeds
    tune: int = 5,  # Seeds of a trial
    device: str = '',  # Where to train, for instance 'cuda'; empty for the CPU
    jobs: int = 2,  # Trainings at once
    store: str = 'paper-runs',  # Folder of the runs, one below it for each task; the same command goes on from there
    out: str = '',  # Folder of the tables, one below it for each task; empty for those in `store`
):
    "Train, and write the tables of each task when it is finished, or as far as it is when Ctrl-C comes"
    if size not in ('small', 'paper'):
        raise SystemExit(f"size must be 'small' or 'paper', got {size!r}")
    chosen = only.split(',') if only else list(tasks)
    known = list(schedules(200))
    for k, v, names in (
        ('only', chosen, list(tasks)),
        ('under', under.split(','), known),
        ('retune', retune.split(','), under.split(',') if under else known),
    ):
        if strange := [o for o in v if o and o not in names]:
            raise SystemExit(f'{k} must be names out of {names}, got {strange}')
    if trials < 1 or not 1 <= tune <= len(seeds) or not jobs:
        raise SystemExit(
            f'trials must be at least 1, tune from 1 to {len(seeds)}, jobs not 0, got {trials}, {tune}, {jobs}'
        )
    if device.startswith('cuda') and not torch.cuda.is_available():
        raise SystemExit(f'device {device!r} cannot be used: PyTorch finds no GPU')
    for name in chosen:
        short = 50 if size == 'paper' else 10 if name == 'cifar10' else 15
        budgets = [short * i for i in (1, 2, 3, 4)]
        rivals = schedules(budgets[-1])
        if under:
            rivals = {k: rivals[k] for k in under.split(',')}
        task = partial(
            tasks[name], **(small[name] if size == 'small' else {}), **({'device': device} if device else {})
        )
        make = partial(
            Protocol, task, budgets=budgets, seeds=seeds, tune_seeds=seeds[:tune], store=Path(store) / name, by='epoch'
        )
        protocol = make(schedules=rivals, trials=trials, retune=retune.split(',') if retune else ())
        print(f'{time.strftime("%H:%M")} {name} at {budgets} epochs under {", ".join(rivals)}', flush=True)
        try:
            protocol.run(jobs=jobs)
            if more := scaled(rivals, protocol.results()):
                make(schedules=more, trials=1).run(jobs=jobs)
        finally:
            results = protocol.results()
            if more := scaled(rivals, results):
                results = joined(results, make(schedules=more, trials=1).results())
            results.settings['command'] = shlex.join(['python', *sys.argv])
            results.save(Path(out or Path(store) / 'tables') / name)
        if not len(results.curves):
            raise SystemExit(f'{name}: no run has come to its end. The errors are in {Path(store, name, "log.txt")}')
        print(results.table(text=True).to_string(), results.finding(), sep='\n\n', flush=True)
