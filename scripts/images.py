"""Draw nbs/images/favicon.svg and nbs/images/card.png, the social card, from the library's own curves."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from hyperbolic_lr.curves import hyperbolic
from hyperbolic_lr.style import okabe_ito

images = Path(__file__).resolve().parent.parent / 'nbs/images'
budgets = 50, 100, 150, 200
at = {N: np.linspace(0, N, 2000) for N in budgets}


def favicon():
    "One branch and its asymptote, on a rounded square"
    n = np.linspace(0, 150, 40)
    x, y = 5 + 22 * n / 250, 27 - 22 * hyperbolic(n, 1.0, 0.0, 150, 250)
    path = 'M' + ' L'.join(f'{a:.2f} {b:.2f}' for a, b in zip(x, y))
    asymptote = '<path d="M5 5 L27 27" stroke="white" stroke-width="1.5" stroke-dasharray="2 2" opacity="0.7"/>'
    branch = f'<path d="{path}" fill="none" stroke="white" stroke-width="3.5" stroke-linecap="round"/>'
    square = f'<rect width="32" height="32" rx="6" fill="{okabe_ito["blue"]}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{square}\n{asymptote}{branch}</svg>\n'


def card():
    "1200 by 630 pixels: the name, what it is, and the curves of four budgets"
    fig, ax = plt.subplots(figsize=(12, 6.3), dpi=100)
    fig.subplots_adjust(left=0.06, right=0.94, top=0.6, bottom=0.1)
    for N, alpha in zip(budgets, (0.4, 0.6, 0.8, 1)):
        ax.plot(at[N], hyperbolic(at[N], 1.0, 1e-3, N, 250), color=okabe_ito['blue'], alpha=alpha, lw=5)
    ax.plot([0, 250], [1, 0], color='0.4', lw=2, ls=(0, (2, 3)))
    ax.set(xlim=(0, 250), ylim=(0, 1.03), xticks=[], yticks=[], xlabel='epoch', ylabel='learning rate')
    ax.xaxis.label.set_size(20), ax.yaxis.label.set_size(20)
    ax.spines[['top', 'right']].set_visible(False)
    fig.text(0.06, 0.83, 'hyperbolic_lr', size=54, weight='bold')
    fig.text(0.06, 0.70, 'Learning rates that depend less on the planned number of epochs', size=22, color='0.25')
    return fig


if __name__ == '__main__':
    (images / 'favicon.svg').write_text(favicon())
    card().savefig(images / 'card.png', metadata={'Software': None})
