"""The site as nbdev stages it for Quarto: what can be checked without Quarto. `make test` runs `checks`."""
import ast
import importlib
import inspect
import re
import runpy
from functools import cache
from pathlib import Path

import nbformat
import yaml
from latex2mathml.converter import convert
from nbdev.config import get_config
from nbdev.serve import proc_nbs

from hyperbolic_lr._modidx import d as index

root = Path(__file__).resolve().parent.parent
options = {'echo','output','eval','fig-alt','slow','cuda'}


@cache
def staged():
    "{file name: notebook} of the pages that Quarto would render"
    folder = proc_nbs(root/'nbs', n_workers=0, force=True)
    return {p.name: nbformat.read(p, as_version=4) for p in sorted(folder.glob('*.ipynb'))}


@cache
def sources():
    "{file name: notebook} as they are written"
    return {p.name: nbformat.read(p, as_version=4) for p in sorted((root/'nbs').glob('*.ipynb'))}


def complain(what, found):
    if found: raise RuntimeError(what + ':\n' + '\n'.join(found))


def outputs(nb, kind): return [o.data[kind] for c in nb.cells if c.cell_type=='code' for o in c.outputs if kind in o.get('data', {})]


def markdown(nb): return '\n\n'.join([c.source for c in nb.cells if c.cell_type=='markdown'] + outputs(nb, 'text/markdown'))


def prose(nb):
    "The Markdown of a page and of its outputs, without code"
    return re.sub(r'`[^`\n]*`', '`code`', re.sub(r'```.*?```', '', markdown(nb), flags=re.S))


def leaves(contents):
    for o in contents: yield from leaves(o['contents']) if 'contents' in o else [o if isinstance(o, str) else o['href']]


def sidebar():
    "Every page is in the sidebar and every entry of it is a page; so are the files that the site's configuration names"
    listed = [*leaves(yaml.safe_load((root/'nbs/sidebar.yml').read_text())['website']['sidebar']['contents'])]
    there = {*sources()} | {p.name for p in (root/'nbs').glob('*.qmd')}
    named = re.findall(r'[\w./-]+\.(?:ipynb|qmd|css|svg|png)\b', (root/'_quarto.yml').read_text())
    complain('the sidebar and the pages differ', [*({*listed} ^ there), *{o for o in listed if listed.count(o)>1}, *(f for f in named if not (root/'nbs'/f).is_file())])


def directives():
    "What Quarto would show or stumble over: directives that it does not know, options that are no YAML, raw Quarto or nbdev syntax in the prose"
    bad = []
    for name,nb in staged().items():
        for c in nb.cells:
            lines = [o[2:] for o in c.source.splitlines() if o.startswith('#|')]
            if c.cell_type=='code' and lines:
                try: o = yaml.safe_load('\n'.join(lines))
                except yaml.YAMLError as e: o = e
                if not isinstance(o, dict) or {*o}-options: bad.append(f'{name}: {lines}')
            elif lines: bad.append(f'{name}: {lines}')
        bad += [f'{name}: {o}' for o in re.findall(r'^:::.*|\{\{<.*?>\}\}|^%.*', prose(nb), re.M)]
    complain('directives that the site would show', bad)


def formulas():
    "Formulas are closed, have braces in pairs and known commands; the numbers of a page's equations count up from one"
    bad = []
    for name,nb in staged().items():
        text = prose(nb).replace(r'\$', '')
        formula = r'\$\$(.+?)\$\$|\$(?=\S)([^$]+?)(?<=\S)\$(?!\d)' # as Pandoc reads it
        bad += [f'{name}: a dollar sign is left over: {o}' for o in re.findall(r'.*\$.*', re.sub(formula, '', text, flags=re.S))]
        for a,b in re.findall(formula, text, re.S):
            f,why = a or b,''
            try: why = ' '.join(re.findall(r'<m\w+>(\\[a-zA-Z]+)', convert(f)))
            except Exception as e: why = type(e).__name__
            plain = re.sub(r'\\[{}]', '', f)
            if plain.count('{')!=plain.count('}') or '\n\n' in f or why: bad.append(f'{name}: {f} {why}')
        tags = [int(o) for o in re.findall(r'\\tag\{(\d+)\}', text)]
        if tags!=[*range(1, len(tags)+1)]: bad.append(f'{name}: equations are numbered {tags}')
    complain('formulas that MathJax would not show', bad)


def anchors(nb):
    "What can be linked to on a page: its headings, as Quarto names them"
    heads = re.findall(r'^#+ (.*)$', markdown(nb), re.M)
    return {re.sub(r'[^\w\-. ]', '', h).strip().lower().replace(' ', '-') for h in heads}


def links():
    "Links between pages, to headings, symbols and files, as they stand on the staged pages; links to the outside must be whole addresses"
    pages,cfg = staged(),get_config(root)
    html = {re.search(r'^output-file: (.*)$', nb.cells[0].source, re.M)[1]: name for name,nb in pages.items()} | {p.stem+'.html': p.name for p in (root/'nbs').glob('*.qmd')}
    heads = {name: anchors(nb) for name,nb in pages.items()}
    bad = []
    for name,nb in pages.items():
        text = prose(nb)
        bad += [f'{name}: a link within a link: {o}' for o in re.findall(r'\[\[[^\]]*\]\([^)]*\)\]\([^)]*\)', text)]
        for link in {*re.findall(r'\]\(([^)\s]+)[^)]*\)', text)} | {*re.findall(r'(?:href|src)=["\']([^"\']+)', text)} | {*re.findall(r'^\[[^\]]+\]: (\S+)', text, re.M)}:
            to,_,at = link.partition('#')
            if to.startswith(cfg.doc_url): to = html.get(to.removeprefix(cfg.doc_url).lstrip('/') or 'index.html', 'no page')
            elif to.startswith(cfg.git_url+'/'):
                file = re.sub(r'^/(?:blob|tree)/main/', '', to.removeprefix(cfg.git_url))
                if not file.startswith(('/issues','/releases')) and not (root/file).exists(): bad.append(f'{name}: {link}')
                continue
            elif re.match(r'https?://[\w.-]+\.\w+(/|$)', to): continue
            to = to or name
            inside = '..' not in to and (root/'_proc'/to).exists()
            if not inside or at and at not in heads.get(to, ()): bad.append(f'{name}: {link}')
    complain('these links lead nowhere', bad)


def pictures():
    "Every picture says in words what is seen on it"
    bad = []
    for name,nb in staged().items():
        bad += [f'{name}: {o}' for o in re.findall(r'!\[\]\([^)]*\)|<img(?![^>]*alt="[^"])[^>]*>', prose(nb))]
        for c in nb.cells:
            drawn = c.cell_type=='code' and any(k.startswith('image/') for o in c.outputs for k in o.get('data', {}))
            if drawn and not re.search(r'^#\| fig-alt: "?\w', c.source, re.M): bad.append(f'{name}: {c.source[:300]}')
    complain('pictures without a fig-alt', bad)


def colab():
    "Under each title stands a badge that opens that very notebook, and the first code cell installs the package"
    bad = []
    for name,nb in sources().items():
        first = next(c.source for c in nb.cells if c.cell_type=='code')
        if f'colab.research.google.com/github/hyperbolic-lr/hyperbolic_lr/blob/main/nbs/{name})' not in nb.cells[1].source: bad.append(f'{name}: no badge of its own under the title')
        if '\n! [ -e /content ] && ' not in first or 'pip install -q' not in first or '#| eval: false' not in first: bad.append(f'{name}: the first code cell does not install the package')
    complain('not ready for Colab', bad)


def symbols():
    "{module: its public names}, patched methods as Class.method"
    res = {}
    for mod,syms in index['syms'].items():
        m = importlib.import_module(mod)
        patched = [o for o in (k.removeprefix(mod+'.') for k in syms) if '.' in o and o.partition('.')[0] not in m.__all__ and o[0]!='_']
        res[mod.rpartition('.')[2]] = [o for o in [*m.__all__, *patched] if not o.rpartition('.')[2].startswith('_')]
    return res


def lessons():
    "Every public symbol is used, or shown as a result, by a cell that is no part of the library in the notebook that defines it, and stands in the reference"
    books = {n.split('_', 1)[1].removesuffix('.ipynb'): nb for n,nb in sources().items() if '_' in n}
    reference,bad = '\n'.join(outputs(sources()['22_reference.ipynb'], 'text/markdown')),[]
    for mod,names in symbols().items():
        nb = books[mod]
        code = [c.source for c in nb.cells if c.cell_type=='code' and not re.search(r'^#\| *export|^[!%]', c.source, re.M)]
        nodes = [o for c in code for o in ast.walk(ast.parse(c))]
        seen = {getattr(o, 'id', getattr(o, 'attr', None)) for o in nodes} | {*re.findall(r'\w+', '\n'.join(outputs(nb, 'text/plain')))}
        for o in names:
            if o.rpartition('.')[2] not in seen: bad.append(f'{mod}.{o}: no lesson')
            if f'<code>{o}</code>' not in reference: bad.append(f'{mod}.{o}: not in the reference')
    complain('public symbols that the pages do not show', bad)


def commands():
    "The commands of the library and of examples/ that the pages show know the options that they are shown with"
    bad = []
    for name,nb in sources().items():
        for block in re.findall(r'```(?:sh|bash)\n(.*?)```', '\n'.join(c.source for c in nb.cells if c.cell_type=='markdown'), re.S):
            for what,args in re.findall(r'^(?:\$ )?(hyperbolic-\w+|python examples/\w+\.py)\b(.*)$', block.replace('\\\n', ' '), re.M):
                if what.startswith('python'): f = runpy.run_path(root/what.split()[1])['main']
                else: f = getattr(importlib.import_module('hyperbolic_lr.cli'), what.removeprefix('hyperbolic-'), None)
                if f is None: bad.append(f'{name}: {what}')
                else: bad += [f'{name}: {what} --{o}' for o in re.findall(r'--([\w-]+)', args) if o.replace('-', '_') not in inspect.signature(f).parameters]
    complain('options that the command does not have', bad)


checks = {'the sidebar lists the pages': sidebar, 'no raw directives on the pages': directives, 'formulas': formulas, 'links on the staged pages': links,
          'pictures have words': pictures, 'every page opens in Colab': colab, 'every public symbol has a lesson and is in the reference': lessons,
          'the commands on the pages have these options': commands}
