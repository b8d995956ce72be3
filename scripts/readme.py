"""Generate README.md and its pictures from nbs/index.ipynb, by nbdev's staging step and nbconvert.

nbdev-readme does this with Quarto. This script needs no Quarto, so that the README is the same wherever it is made.
"""

import re
import shutil
import sys
from pathlib import Path

import nbformat
import yaml
from fastcore.script import call_parse
from nbconvert import MarkdownExporter
from nbdev.config import get_config
from nbdev.readme_filter import doc_link
from nbdev.serve import proc_nbs

root = Path(__file__).resolve().parent.parent


def staged_index():
    "The notebook that the documentation site renders, with Quarto's front matter and cell options carried out"
    nb = nbformat.read(
        proc_nbs(root / 'nbs', file_glob='index.ipynb', n_workers=0, force=True) / 'index.ipynb', as_version=4
    )
    front = yaml.safe_load(nb.cells[0].source.strip('-\n'))
    nb.cells[0] = nbformat.v4.new_markdown_cell(f'# {front["title"]}\n\n> {front["description"]}')
    nb.metadata.language_info = {'name': 'python'}
    alts = []
    for cell in nb.cells:
        if cell.cell_type != 'code':
            continue
        options = yaml.safe_load(''.join(o[3:] + '\n' for o in cell.source.splitlines() if o.startswith('#| '))) or {}
        if options.get('echo') is False:
            cell.metadata.transient = {'remove_source': True}
        if 'fig-alt' in options:
            alts.append(options['fig-alt'])
        for data in (o.data for o in cell.outputs if 'image/png' in o.get('data', {})):
            data.pop('text/html', None)  # a figure to drag: no script runs in a README
    return nb, alts


def readme():
    "The README's files: name and bytes"
    (nb, alts), cfg = staged_index(), get_config(root)
    body, res = MarkdownExporter().from_notebook_node(
        nb, resources={'output_files_dir': 'index_files', 'unique_key': 'figure'}
    )
    body = re.sub(r'(?<!!)(\[[^\]]*\])\(([^)\s]+)\)', lambda m: f'{m[1]}({doc_link(m[2], cfg.doc_url)})', body)
    body = re.sub(r'!\[png\]', lambda m: f'![{alts.pop(0)}]', body)
    body = re.sub(r'\s*\n\s*\n', '\n\n', re.sub(r'[ \t]+\n', '\n', body)).strip() + '\n'
    return {'README.md': body.encode(), **res['outputs']}


@call_parse
def main(
    check: bool = False,  # Only say whether the files are what they should be?
):
    "Write README.md and index_files/, or with --check fail if they differ from what would be written"
    files = readme()
    if check:
        drifted = [k for k, v in files.items() if not (root / k).exists() or (root / k).read_bytes() != v]
        if drifted:
            sys.exit(f'{", ".join(drifted)}: not what nbs/index.ipynb says. Run: make readme')
        return
    shutil.rmtree(root / 'index_files', ignore_errors=True)
    for k, v in files.items():
        (root / k).parent.mkdir(exist_ok=True)
        (root / k).write_bytes(v)
    print('\n'.join(files))
