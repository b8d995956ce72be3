"""Reduce the pictures stored in notebooks to 256 colours, a third of their size: `python scripts/pictures.py [FILES]`.

Run it after `nbdev-test --save`, or let the pre-commit hook do so; `make test` complains of a picture with more.
"""

import io
import re
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import nbformat
from PIL import Image

root = Path(__file__).resolve().parent.parent


def reduced(png):
    "A PNG in base64 with at most 256 colours and its dots per inch; one that has no more is left as it is"
    im, out = Image.open(io.BytesIO(b64decode(png))), io.BytesIO()
    if im.mode == 'P':
        return png
    few = im.convert('RGB').quantize(256, dither=Image.Dither.NONE)
    few.save(out, format='PNG', optimize=True, dpi=im.info['dpi'])
    return b64encode(out.getvalue()).decode()


def reduce_outputs(nb):
    "Pictures that are outputs, and those within an output of HTML"
    for data in (o['data'] for c in nb.cells for o in c.get('outputs', []) if 'data' in o):
        if 'image/png' in data:
            data['image/png'] = reduced(data['image/png'])
        if 'text/html' in data:
            inside = r'(?<=data:image/png;base64,)[\w+/=]+'
            data['text/html'] = re.sub(inside, lambda m: reduced(m[0]), data['text/html'])


def rewrite(path):
    "Reduce the pictures of a notebook. Returns whether that changed it."
    before = path.read_text()
    nb = nbformat.reads(before, as_version=4)
    reduce_outputs(nb)
    after = nbformat.writes(nb) + '\n'
    if after != before:
        path.write_text(after)
    return after != before


if __name__ == '__main__':
    found = (root / 'nbs').rglob('[!_.]*.ipynb')
    for path in map(Path, sys.argv[1:] or sorted(found)):
        if rewrite(path):
            print(path)
