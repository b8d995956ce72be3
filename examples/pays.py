"""The experiment of the page "Does it pay?": about two dozen schedules on five small problems at five budgets, each
tuned on a grid of peak rates at every budget, with twenty seeds and a held-out test set.

    python examples/pays.py --folder DIR     # DIR holds the four files of Fashion-MNIST; without it they are downloaded

The run can be cut at any moment; the same command goes on. What is written at the end, a table of all runs for each
problem, is enough for the page.
"""

import json
import time
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from fastai.optimizer import OptimWrapper
from fastcore.script import call_parse
from optuna.distributions import FloatDistribution
from schedulefree import SGDScheduleFree

from hyperbolic_lr import ExpHyperbolicLR, HyperbolicLR
from hyperbolic_lr.anytime import AverageWeights
from hyperbolic_lr.protocol import Protocol
from hyperbolic_lr.results import Results
from hyperbolic_lr.rivals import Rival, rivals
from hyperbolic_lr.runner import Run
from hyperbolic_lr.store import Store
from hyperbolic_lr.tasks import deeponet, fashion_mnist

budgets, seeds = [1, 2, 4, 8, 16], range(20)  # epochs of 100 steps
longest = budgets[-1]
sgd = partial(torch.optim.SGD, momentum=0.9)
values = 'valid_loss', 'test_loss', 'test_accuracy'


def problems(folder: str | None) -> dict:
    "By name: the task, and a peak rate about which its grid begins"
    fashion = partial(fashion_mnist, bs=32, steps=100, folder=folder)
    integral = partial(deeponet, n=5_000, points=50, width=32, depth=4, n_basis=20, bs=30, own_split=True)
    return {
        'adam': (fashion, 2**-7),
        'integral': (integral, 2**-7),
        'small data': (partial(fashion, n_train=1_500), 2**-7),
        'sgd': (partial(fashion, opt=sgd), 2**-4.5),
        'deep': (partial(fashion, hidden=(32, 32, 32)), 2**-7),
    }


def hyperbolic(cls, opt, n, n_epoch, upper, ratio, down):
    "For `upper` epochs, from the peak towards `ratio` of it; with a cooldown over the last share `down`, a fixed trunk"
    trunk = 'upper_bound' if down else 'budget'
    return cls(opt, upper * n / n_epoch, n, infimum_ratio=ratio, cooldown=round(down * n), trunk=trunk)


def lagging_average():
    return [AverageWeights(share=0.1)]


def hyperbolics() -> dict:
    "(class, U as a multiple of the longest run, ratio, cooldown) by name; without one, the ratio is the paper's order"
    H, EH = HyperbolicLR, ExpHyperbolicLR
    plain = {'H, U=L': (H, 1, 1e-3), 'H, U=1.25L': (H, 1.25, 1e-3), 'H, U=2L': (H, 2, 1e-3)}
    plain |= {'EH 0.001, U=L': (EH, 1, 1e-3), 'EH 0.03, U=L': (EH, 1, 0.03), 'EH 0.1, U=L': (EH, 1, 0.1)}
    cooled = {f'H, U=L, cooldown {o}%': (H, 1, 0.03, o / 100) for o in (10, 20, 30)}
    cooled |= {f'H, U={o}L, cooldown 20%': (H, o, 0.03, 0.2) for o in (1.25, 2)}
    cooled |= {f'EH {o}, U=L, cooldown 20%': (EH, 1, o, 0.2) for o in (0.3, 0.1, 0.03)}
    return {k: (*v, 0.0) for k, v in plain.items()} | cooled


def fixed(known: dict, name: str, **params: float) -> dict:
    "Fields of a rival with its parameters but the rate fixed"
    one = {k: FloatDistribution(v, v) for k, v in params.items()}
    return vars(known[name]) | dict(space=known[name].space | one)


def schedules(centre: float, free) -> dict[str, Rival]:
    "All of them, whose grids begin about the rate `centre`, Schedule-Free's about twice that, as it wants higher ones"
    known = rivals(longest)
    fields = {
        'constant': fixed(known, 'none'),
        'linear': fixed(known, 'linear'),
        'linear, rule': fixed(known, 'linear-horizon'),
        'cosine': fixed(known, 'cosine', eta_min=0.0),
        'cosine, rule': fixed(known, 'cosine-horizon', eta_min=0.0),
        'WSD linear 20%': fixed(known, 'wsd', cooldown=0.2),
        'WSD 1-sqrt 20%': fixed(known, 'sqrt-cooldown', cooldown=0.2),
        'inverse sqrt, cooldown 20%': fixed(known, 'inverse-sqrt', scale=0.25, cooldown=0.2),
        'inverse sqrt, average': fixed(known, 'inverse-sqrt-averaged', scale=0.25, share=0.1),
        'constant, average': fixed(known, 'none') | dict(callbacks=lagging_average),
        'Schedule-Free': fixed(known, 'schedule-free') | dict(opt_func=free),
    }
    source = 'hyperbolic_lr.HyperbolicLR, ExpHyperbolicLR'
    for name, (cls, upper, ratio, down) in hyperbolics().items():
        scheduler = partial(hyperbolic, cls, upper=upper * longest, ratio=ratio, down=down)
        fields[name] = dict(source=source, reference='arXiv 2407.15200', horizon=True, scheduler=scheduler, space={})
    rates = dict(lr=FloatDistribution(centre / 8, centre * 8, log=True))
    free_rates = dict(lr=FloatDistribution(centre / 4, centre * 16, log=True))
    spaces = {k: v['space'] | (free_rates if k == 'Schedule-Free' else rates) for k, v in fields.items()}
    return {k: Rival(**v | dict(name=k, space=spaces[k])) for k, v in fields.items()}


def trainings(results: Results, store: Store) -> pd.DataFrame:
    "A row per training, with what it ended at; `tuned_at` differs from `budget` where the horizon rule moved the rate"
    runs = results.runs
    ruled = runs['schedule'].str.endswith('rule')
    runs = runs.assign(tuned_at=runs['tuned_at'].where(ruled, runs['budget']))
    runs = runs.drop_duplicates(['schedule', 'budget', 'tuned_at', 'seed', 'params'])
    rows = []
    for record in store.get([Run(*o[:4], json.loads(o[4])) for o in runs.itertuples(index=False)]).values():
        row = {k: record[k] for k in 'schedule budget tuned_at seed seconds'.split()} | {'lr': record['params']['lr']}
        ended = record['curves'] if record['status'] == 'done' else {}
        rows.append(row | {k: float(f'{ended[k][-1]:.5g}') if k in ended else float('nan') for k in values})
    return pd.DataFrame(rows).sort_values(['schedule', 'budget', 'tuned_at', 'lr', 'seed'])


def save(results: Results, rows: pd.DataFrame, place: Path):
    "The table, and what made it"
    kept = 'budgets seeds trials search date machine versions'.split()
    settings = {k: v for k, v in results.settings.items() if k in kept}
    settings |= dict(command='python examples/pays.py --folder DIR', runs=len(rows))
    settings['seconds'] = round(rows['seconds'].sum())
    place.mkdir(parents=True, exist_ok=True)
    table = rows.drop(columns='seconds')
    table.to_csv(place / 'runs.csv.gz', index=False, compression=dict(method='gzip', mtime=0))
    (place / 'settings.json').write_text(json.dumps(settings, indent=1) + '\n')


@call_parse
def main(
    folder: str = '',  # With the files of Fashion-MNIST; empty downloads them
    only: str = '',  # Some of the problems, with commas; empty for all
    jobs: int = 2,  # Processes
    store: str = 'pays-runs',  # Folder of the runs, one below it for each problem
    out: str = 'pays',  # Folder of the tables
):
    "Train, and write a table of each problem when it is finished"
    known = problems(folder or None)
    named = [o.strip() for o in only.split(',') if o.strip()] or list(known)
    if strange := [o for o in named if o not in known]:
        raise SystemExit(f'only must be names out of {list(known)}, got {strange}')
    for name in named:
        task, centre = known[name]
        free = partial(OptimWrapper, opt=SGDScheduleFree) if name == 'sgd' else rivals(1)['schedule-free'].opt_func
        chosen = schedules(centre, free)
        common = dict(budgets=budgets, seeds=seeds, search='grid', trials=12, replicas=240, store=Path(store, name))
        protocol = Protocol(task, chosen, retune=[o for o in chosen if 'rule' not in o], **common)
        print(time.strftime('%H:%M'), name, protocol.todo(), flush=True)
        results = protocol.run(jobs=jobs)
        save(results, trainings(results, protocol.store), Path(out, name.replace(' ', '-')))
        print(time.strftime('%H:%M'), results.table('test_loss', 'min', text=True).to_string(), flush=True)
