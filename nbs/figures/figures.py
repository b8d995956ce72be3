"The figures to drag, for the notebooks of this site: as HTML, as lines, and as a picture for where no script runs"

import io
import re
from base64 import b64encode
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from py_mini_racer import MiniRacer

from hyperbolic_lr.style import figure_style

source = Path(__file__).with_name('figures.js').read_text()
js = MiniRacer()
js.eval(source)


def html(kind):
    "Its first picture as text, and the script that moves it"
    body = js.eval(f"hyperbolicFigures.html('{kind}')")
    places = f"document.querySelectorAll('.hyperbolic-figure[data-figure={kind}]')"
    return f'{body}<script>\n{source}\nfor (const o of {places}) hyperbolicFigures.mount(o)\n</script>'


def first(kind):
    "Where its sliders stand at first"
    return js.execute(f'hyperbolicFigures.start({kind!r})')


def drawn(kind, **state):
    "What it draws with its sliders there"
    return js.call(f'(s => hyperbolicFigures.figures.{kind}.draw(s))', state)


def picture(kind):
    "How it first stands, drawn by matplotlib: a PNG in base64"
    xlabel, ylabel = js.execute(f'(o => [o.xlabel, o.ylabel])(hyperbolicFigures.figures.{kind})')
    out = io.BytesIO()
    with plt.style.context(figure_style):
        fig, ax = plt.subplots(figsize=(6, 3), layout='constrained')
        for o in drawn(kind, **first(kind))['lines']:
            color = re.search(r'#\w+', o['color'])[0]
            dashes = (0, [int(d) for d in o['dash'].split()]) if o['dash'] else '-'
            ax.plot(*np.transpose(o['points']), color=color, linestyle=dashes, label=o['label'])
        ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
        ax.legend()
        fig.savefig(out, format='png', dpi=2 * fig.dpi)
        plt.close(fig)
    return b64encode(out.getvalue()).decode()


def show(kind, png=False):
    "The figure in a notebook; `png`: with a picture beside it, for where no HTML is shown"
    display({'text/html': html(kind)} | ({'image/png': picture(kind)} if png else {}), raw=True)
