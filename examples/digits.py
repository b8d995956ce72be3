"""What `make demo` runs: four schedules on scikit-learn's handwritten digits, each tuned on a short run, then frozen
and trained for longer.

Change the task, the schedules or the budgets as you like; the results lie in the folder `store`, and what is finished
there is not done again.
"""

from pathlib import Path

import matplotlib
from fastcore.script import call_parse

from hyperbolic_lr.protocol import Protocol
from hyperbolic_lr.tasks import digits


def names(text: str) -> list[str]:
    return [o.strip() for o in text.split(',') if o.strip()]


def integers(text: str) -> list[int]:
    return [int(o) for o in names(text)]


@call_parse
def main(
    schedules: str = 'hyperbolic,exp-hyperbolic,cosine,none',  # Names out of hyperbolic_lr.rivals
    budgets: str = '5,10,20,40',  # Budgets in epochs; the smallest one is for tuning
    seeds: str = '0,1,2',  # Seeds of weights and batch order
    trials: int = 6,  # Hyper-parameters to try per schedule
    jobs: int = 2,  # Trainings at once
    store: str = 'digits-demo',  # Folder of the results
) -> None:
    "Tune each schedule at the smallest budget, then train at every budget with what was found"
    matplotlib.use('agg')
    protocol = Protocol(digits, names(schedules), integers(budgets), integers(seeds), trials, store=store)
    shortest, *_ = protocol.budgets
    print(f'Tune at {shortest} epochs, freeze, train for {protocol.budgets}.', end=' ')
    print('Ctrl-C stops, the same command goes on.')
    results = protocol.run(jobs=jobs)

    for metric, mode in dict(valid_loss='min', accuracy='max').items():
        print(f'\n{metric} at each budget, mean [95% interval] over seeds\n')
        print(results.table(metric, mode, text=True).to_string())

    picture, page = Path(store, 'curves.png').absolute(), Path(store, 'report.html').absolute()
    figure = next(iter(results.plot_curves().values())).figure
    figure.savefig(picture, dpi=120)
    results.to_html(page)
    print(f'\n{results.finding()}\nLearning curves: {picture}\nThe whole report: {page}')
