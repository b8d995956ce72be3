"""What `make demo` runs: four schedules on scikit-learn's handwritten digits, each tuned on a short run, then frozen and trained for longer.

Change the task, the schedules or the budgets as you like; the results lie in the folder `store`, and what is finished there is not done again.
"""

from pathlib import Path

import matplotlib
from fastcore.script import call_parse

from hyperbolic_lr.protocol import Protocol
from hyperbolic_lr.report import plot_curves
from hyperbolic_lr.tasks import digits


def ints(text):
    return [int(o) for o in text.split(',')]


@call_parse
def main(
    schedules: str = 'hyperbolic,exp-hyperbolic,cosine,none',  # Names out of hyperbolic_lr.rivals
    budgets: str = '5,10,20,40',  # Budgets in epochs; the smallest one is for tuning
    seeds: str = '0,1,2',  # Seeds of weights and batch order
    trials: int = 6,  # Hyper-parameters to try per schedule
    jobs: int = 2,  # Trainings at once
    store: str = 'digits-demo',  # Folder of the results
):
    "Tune each schedule at the smallest budget, then train at every budget with what was found"
    matplotlib.use('agg')
    protocol = Protocol(digits, schedules.split(','), ints(budgets), ints(seeds), trials, store=store)
    print(
        f'Tune at {protocol.budgets[0]} epochs, freeze, train for {protocol.budgets}. Ctrl-C stops, the same command goes on.'
    )
    results = protocol.run(jobs=jobs)
    for metric, mode in (('valid_loss', 'min'), ('accuracy', 'max')):
        print(
            f'\n{metric} at each budget, mean [95% interval] over seeds\n',
            results.table(metric, mode, text=True).to_string(),
            sep='\n',
        )
    next(iter(plot_curves(results).values())).figure.savefig(Path(store) / 'curves.png', dpi=120)
    results.to_html(Path(store) / 'report.html')
    print(
        '',
        results.finding(),
        f'Learning curves: {Path(store, "curves.png").absolute()}',
        f'The whole report: {Path(store, "report.html").absolute()}',
        sep='\n',
    )
