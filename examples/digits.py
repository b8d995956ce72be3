"""Tune short, train long: four learning-rate schedules on scikit-learn's handwritten digits.

Each schedule's peak rate is chosen at the smallest budget and kept for the longer ones, as if nobody had the time to tune
again. The table shows the accuracy and the loss that each reaches on a held-out quarter of the 1,797 images, and how far
the learning curves of longer runs leave those of shorter ones. The same quarter serves to choose the rates, so the figures
at the smallest budget flatter every schedule alike.
"""
from functools import partial
from itertools import combinations

import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter
import numpy as np
import pandas as pd
import torch
from fastai.basics import *
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import ParamScheduler, SchedCos
from fastcore.script import call_parse
from fastprogress import progress_bar
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from hyperbolic_lr.callback import *  # adds fit_hyperbolic and fit_exp_hyperbolic to Learner
from hyperbolic_lr.loader import TensorLoader


def fit_cosine(learn, n_epoch, lr): learn.fit(n_epoch, lr, cbs=ParamScheduler({'lr': SchedCos(lr, 0)}))


def schedules(upper_bound):
    "Name of each schedule and the function that trains a Learner under it"
    return {'HyperbolicLR': partial(Learner.fit_hyperbolic, upper_bound=upper_bound),
            'ExpHyperbolicLR': partial(Learner.fit_exp_hyperbolic, upper_bound=upper_bound, infimum_lr=1e-5),
            'cosine': fit_cosine,
            'constant': Learner.fit}


def digits_learner(seed, bs=64):
    "A small convolutional network on the digits; the seed decides its weights and the order of the batches, not the split"
    X,y = load_digits(return_X_y=True)
    x,y = torch.tensor(X/16, dtype=torch.float).view(-1, 1, 8, 8),torch.tensor(y)
    x,x_valid,y,y_valid = train_test_split(x, y, test_size=0.25, stratify=y, random_state=42)
    set_seed(seed)
    dls = DataLoaders(TensorLoader((x, y), bs=bs, shuffle=True), TensorLoader((x_valid, y_valid), bs=len(x_valid)))
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
                          nn.Flatten(), nn.Linear(32*4*4, 10))
    return Learner(dls, model, loss_func=nn.CrossEntropyLoss(), metrics=accuracy).remove_cb(ProgressCallback)


def run(name, fit, lr, n_epoch, seed):
    "Train once; a DataFrame with one row an epoch"
    torch.set_num_threads(1)
    learn = digits_learner(seed)
    with learn.no_logging(): fit(learn, n_epoch, lr)
    res = pd.DataFrame(list(learn.recorder.values), columns=['train_loss','loss','accuracy'])
    rates = learn.recorder.lrs[::len(learn.dls.train)]
    return res.assign(schedule=name, lr=lr, budget=n_epoch, seed=seed, epoch=range(1, n_epoch+1), rate=rates)


def run_all(jobs, jobs_at_once):
    "Train all `jobs` in parallel processes, with a progress bar"
    runs = Parallel(jobs_at_once, return_as='generator')(delayed(run)(*o) for o in jobs)
    return pd.concat(progress_bar(runs, total=len(jobs)), ignore_index=True)


def drift(curves):
    "Mean relative difference |a-b|/(a+b) of the mean learning curves of two budgets over the epochs that they share, over all pairs"
    mean = curves.groupby(['budget','epoch']).loss.mean().unstack(0)
    return np.mean([((mean[a]-mean[b]).abs()/(mean[a]+mean[b])).mean() for a,b in combinations(mean, 2)])


def table(res):
    "One row a schedule: its rate, then accuracy (in %) and loss at each budget as mean ± standard deviation over seeds, then the drift"
    final = res[res.epoch==res.budget].groupby(['schedule','budget'], sort=False)[['accuracy','loss']].agg(['mean','std'])
    rows = {}
    for name,curves in res.groupby('schedule', sort=False):
        row = rows[name] = {('','peak rate'): f'{curves.lr.iloc[0]:g}'}
        for n,o in (final.loc[name].accuracy*100).iterrows(): row['accuracy at',f'{n} epochs'] = f'{o["mean"]:.1f} ±{o["std"]:.1f}'
        for n,o in final.loc[name].loss.iterrows(): row['loss at',f'{n} epochs'] = f'{o["mean"]:.3f} ±{o["std"]:.3f}'
        row['','drift'] = f'{drift(curves):.3f}'
    return pd.DataFrame(rows).T


def picture(res, path):
    "Learning curves above, schedules below, one column a schedule and one line a budget"
    plt.style.use('tableau-colorblind10')
    names = list(res.schedule.unique())
    fig,axs = plt.subplots(2, len(names), figsize=(3*len(names), 5.5), sharex=True, sharey='row', squeeze=False)
    for (above,below),name in zip(axs.T, names):
        for n,o in res[res.schedule==name].groupby('budget'):
            mean = o.groupby('epoch')[['loss','rate']].mean()
            above.plot(mean.loss, label=f'{n} epochs')
            below.plot(mean.rate/o.lr.iloc[0])
        above.set(title=name, yscale='log')
        above.yaxis.set_minor_formatter(NullFormatter())
        below.set(xlabel='epoch')
    axs[0,0].set_ylabel('validation loss')
    axs[1,0].set_ylabel('rate / peak rate')
    axs[0,0].legend()
    fig.tight_layout()
    fig.savefig(path, dpi=120)


@call_parse
def main(
    budgets:str='5,10,20,40', # Budgets in epochs, two or more; the smallest one is for choosing the rates
    lrs:str='0.003,0.01,0.03,0.1', # Peak rates to choose from
    seeds:str='0,1,2', # Seeds of weights and batch order
    upper_bound:int=50, # Upper bound of the hyperbolic schedules in epochs, at least the largest budget
    jobs:int=2, # Trainings at once
    out:str='digits.png', # Where to put the picture
):
    "Choose each schedule's peak rate at the smallest budget, then train at every budget with that rate"
    (first,*rest),lrs,seeds = sorted(map(int, budgets.split(','))),[*map(float, lrs.split(','))],[*map(int, seeds.split(','))]
    if not rest or upper_bound<rest[-1]: raise SystemExit(f'Give two or more budgets, up to upper_bound={upper_bound}, not {budgets}')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    fits = schedules(upper_bound)
    print(f'Choosing each peak rate among {lrs} at {first} epochs')
    tuning = run_all([(name,fit,lr,first,seed) for name,fit in fits.items() for lr in lrs for seed in seeds], jobs)
    score = tuning[tuning.epoch==first].groupby(['schedule','lr']).loss.mean()
    best = {name: float(score[name].idxmin()) for name in fits}
    print(f'Training {rest} epochs with the chosen rates')
    longer = run_all([(name,fit,best[name],n,seed) for n in rest[::-1] for name,fit in fits.items() for seed in seeds], jobs)
    res = pd.concat([longer, tuning[tuning.lr==tuning.schedule.map(best)]]).sort_values('budget', kind='stable')
    picture(res, out)
    print('\n', table(res).to_string(), sep='\n')
    print('accuracy in %, mean ± standard deviation over seeds; drift: how far the loss curves of longer runs leave those of shorter ones, 0 if not at all')
    print(f'Picture of the learning curves and the schedules: {Path(out).absolute()}')
