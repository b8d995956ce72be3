"""How far can short runs of language models be trusted to tell what a longer one reaches?

Reads the logs of arXiv 2405.18392 and 2501.18965, which stay with their authors (MIT licence), and writes errors:

    git clone https://github.com/fabian-sp/lr-scheduling
    python examples/forecasts.py lr-scheduling

Every pair or triple of lengths of one setting forecasts each longer one that is at most 2.5 times as long. The exponent
and its spread come from the other models.
"""

import json
import re
import shlex
import sys
import time
from importlib import metadata
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from fastcore.script import call_parse
from scipy.optimize import curve_fit

from hyperbolic_lr.forecast import forecast

exponents = np.round(np.arange(0.2, 0.81, 0.02), 2)
spreads = np.round(np.arange(0.1, 0.81, 0.05), 2)


def read_log(path: Path) -> dict | None:
    "Model, setting, length and last loss of a run whose rate has come down; None for any other"
    log = json.loads(path.read_text())
    summary, config, name = log['summary'], log['config'], log['name']
    if 'final-val/loss' not in summary or not (name.startswith('ann') or config['scheduler'] == 'cos'):
        return None
    model = f'{config["dataset"]}, {summary["parameters"] / 1e6:.0f}M'
    setting = re.sub(r'_iter\d+', '', name)
    return dict(model=model, setting=setting, length=config['iterations'], loss=summary['final-val/loss'])


def read_runs(clone: Path) -> pd.DataFrame:
    found = [log for path in sorted((clone / 'data').glob('*.json')) if (log := read_log(path))]
    if not found:
        raise SystemExit(f'{clone} holds no logs: give a clone of https://github.com/fabian-sp/lr-scheduling')
    return pd.DataFrame(found).drop_duplicates(['setting', 'length'])


def cases_of(runs: pd.DataFrame, n_lengths: int) -> list[dict]:
    "Every choice of shorter lengths with a longer one that is near enough"
    cases = []
    for (model, setting), own in runs.groupby(['model', 'setting']):
        own = own.sort_values('length')
        for chosen in combinations(own.itertuples(index=False), n_lengths + 1):
            *short, long = chosen
            if long.length <= 2.5 * short[-1].length:
                lengths, losses = [o.length for o in short], [o.loss for o in short]
                cases.append(dict(model=model, lengths=lengths, losses=losses, at=long.length, truth=long.loss))
    return cases


def forecast_of(case: dict, exponent: tuple[float, float]):
    return forecast(case['lengths'], case['losses'], case['at'], exponent=exponent)


def calibrated(cases: list[dict]) -> tuple[float, float]:
    "The exponent with the least mean error on `cases`, and the least spread with which 95% lie in their intervals"
    error = lambda c: np.nanmean([abs(forecast_of(o, (c, 0)).value - o['truth']) for o in cases])
    median = min(exponents, key=error)
    for spread in spreads:
        found = [(forecast_of(o, (median, spread)), o['truth']) for o in cases]
        if np.mean([o.low <= truth <= o.high for o, truth in found if not o.reason]) >= 0.95:
            break
    return float(median), float(spread)


def fitted_floor(case: dict) -> float:
    "Least squares of all three parameters; NaN for two lengths, or where there is no such fit"
    if len(case['lengths']) < 3:
        return np.nan
    x, y = np.array(case['lengths']) / case['lengths'][-1], np.array(case['losses'])
    law = lambda n, a, b, c: a + b * n**-c
    try:
        found, _ = curve_fit(law, x, y, p0=(0.9 * y[-1], y[0] - 0.9 * y[-1], 0.4), bounds=(0, [np.inf, np.inf, 5]))
    except RuntimeError:
        return np.nan
    return float(law(case['at'] / case['lengths'][-1], *found))


def pure(case: dict) -> float:
    "The power law without a floor"
    x, y = np.log(case['lengths']), np.log(case['losses'])
    slope, level = np.polyfit(x, y, 1)
    return float(np.exp(level + slope * np.log(case['at'])))


def errors_of(case: dict, exponent: tuple[float, float]) -> dict:
    value, low, high, reason = forecast_of(case, exponent)
    truth = case['truth']
    row = dict(model=case['model'], lengths=' '.join(map(str, case['lengths'])), at=case['at'])
    row |= dict(exponent=exponent[0], spread=exponent[1], reason=reason)
    row |= dict(forecast=value - truth, low=low - truth, high=high - truth)
    shipped = forecast(case['lengths'], case['losses'], case['at'])
    row |= {f'default {k}': getattr(shipped, k) - truth for k in ('value', 'low', 'high')}
    return (
        row
        | {'pure power law': pure(case) - truth, 'fitted floor': fitted_floor(case) - truth}
        | {'no change': case['losses'][-1] - truth}
    )


@call_parse
def main(
    clone: str,  # Folder of https://github.com/fabian-sp/lr-scheduling
    out: str = 'nbs/results/forecast',  # Folder of the tables
):
    "Forecast every longer run of the logs with what the other models tell, and write the errors"
    runs = read_runs(Path(clone))
    pairs = cases_of(runs, 2)
    rows = []
    for model in runs['model'].unique():
        exponent = calibrated([o for o in pairs if o['model'] != model])
        print(model, *exponent, flush=True)
        own = [o for n in (2, 3) for o in cases_of(runs[runs['model'] == model], n)]
        rows += [errors_of(o, exponent) for o in own]
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).round(6).to_csv(folder / 'cases.csv', index=False)
    settings = dict(runs=len(runs), models=int(runs['model'].nunique()), date=time.strftime('%Y-%m-%d'))
    settings |= dict(
        exponent=calibrated(pairs), versions={o: metadata.version(o) for o in ('numpy', 'scipy', 'pandas')}
    )
    settings['command'] = shlex.join(['python', sys.argv[0], Path(clone).name])
    (folder / 'settings.json').write_text(json.dumps(settings, indent=1) + '\n')
