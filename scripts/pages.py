"""The site as nbdev stages it for Quarto: what can be checked without Quarto. `make test` runs `checks`."""

import ast
import importlib
import inspect
import io
import posixpath
import re
import runpy
import shutil
import tempfile
from base64 import b64decode
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath

import nbformat
import yaml
from latex2mathml.converter import convert
from nbdev.config import get_config
from nbdev.serve import proc_nbs
from PIL import Image

import lone_torchvision  # noqa: F401
from hyperbolic_lr._modidx import d as index

root = Path(__file__).resolve().parent.parent
options = {'echo', 'output', 'eval', 'fig-alt', 'slow', 'cuda', 'code-fold'}
scripts = {o.name: o for o in metadata.entry_points(group='console_scripts') if o.module.startswith('hyperbolic_lr')}
page_format = yaml.safe_load((root / '_quarto.yml').read_text())['format']['html']
column = int(page_format['grid']['body-width'].removesuffix('px')) - 51  # pixels for text; 3em of 17 pixels are margins


def named(folder, pattern):
    "Files below a folder as paths from there, without those that begin with a dot or an underscore"
    found = [p.relative_to(folder) for p in sorted(folder.rglob(pattern))]
    return [p.as_posix() for p in found if not any(o[0] in '._' for o in p.parts)]


@cache
def staged():
    "{path: notebook} of the pages that Quarto would render"
    folder = proc_nbs(root / 'nbs', n_workers=0, force=True)
    return {o: nbformat.read(folder / o, as_version=4) for o in named(folder, '*.ipynb')}


@cache
def sources():
    "{path from nbs: notebook} as they are written"
    return {o: nbformat.read(root / 'nbs' / o, as_version=4) for o in named(root / 'nbs', '*.ipynb')}


def complain(what, found):
    if found:
        raise RuntimeError(what + ':\n' + '\n'.join(found))


def outputs(nb, kind):
    return [o.data[kind] for c in nb.cells if c.cell_type == 'code' for o in c.outputs if kind in o.get('data', {})]


def markdown(nb):
    return '\n\n'.join([c.source for c in nb.cells if c.cell_type == 'markdown'] + outputs(nb, 'text/markdown'))


def prose(nb):
    "The Markdown of a page and of its outputs, without code"
    return re.sub(r'`[^`\n]*`', '`code`', re.sub(r'```.*?```', '', markdown(nb), flags=re.S))


def section(contents):
    "Pages of a section of the sidebar: a file, a list of files, or a glob"
    found = [p for c in ([contents] if isinstance(contents, str) else contents) for p in sorted((root / 'nbs').glob(c))]
    return [p.relative_to(root / 'nbs').as_posix() for p in found]


def sections():
    "{title: pages} of the sidebar in _quarto.yml; those without a section under ''"
    found = {}
    for o in yaml.safe_load((root / '_quarto.yml').read_text())['website']['sidebar']['contents']:
        title, contents = (o['section'], o['contents']) if isinstance(o, dict) else ('', o)
        found.setdefault(title, []).extend(section(contents))
    return found


def sidebar():
    "Every page is in the sidebar of _quarto.yml, once"
    listed = [o for pages in sections().values() for o in pages]
    there = {*sources(), *named(root / 'nbs', '*.qmd')}
    complain('the sidebar and the pages differ', [*({*listed} ^ there), *{o for o in listed if listed.count(o) > 1}])


def strings(o):
    "Every text in a nest of dicts and lists"
    if isinstance(o, dict):
        o = [*o.values()]
    if isinstance(o, list):
        return [s for v in o for s in strings(v)]
    return [o] if isinstance(o, str) else []


def texts(folder):
    "{path: Markdown with front matter} of every page in a staged folder"
    res = {o: (folder / o).read_text() for o in named(folder, '*.qmd')}
    for o in named(folder, '*.ipynb'):
        res[o] = '\n\n'.join(c.source for c in nbformat.read(folder / o, as_version=4).cells if c.cell_type != 'code')
    return res


def front_matter(text):
    return yaml.safe_load(re.match(r'---\n(.*?)\n---', text, re.S)[1])


def addresses():
    "{path: its page on the site} of every page"
    staged()
    pages = texts(root / '_proc').items()
    return {
        k: str(PurePosixPath(k).with_name(front_matter(v).get('output-file', f'{Path(k).stem}.html'))) for k, v in pages
    }


def page_of(module):
    "The path of the notebook that exports a module"
    return next(name for name in sources() if re.fullmatch(rf'api/\d+_{module}\.ipynb', name))


def alone():
    "The staged folder is whole when copied elsewhere, as nbdev does to render it: it has all files that it names"
    staged()
    with tempfile.TemporaryDirectory() as d:
        site = Path(shutil.copytree(root / '_proc', f'{d}/site'))
        settings = yaml.safe_load((site / '_quarto.yml').read_text()) if (site / '_quarto.yml').exists() else None
        if settings != yaml.safe_load((root / '_quarto.yml').read_text()):
            raise RuntimeError('_quarto.yml is not staged: nbs/_quarto.yml must be a symbolic link to ../_quarto.yml')
        told = [('_quarto.yml', o) for o in strings(settings)]
        for o in settings['metadata-files']:
            if (site / o).exists():
                told += [(o, v) for v in strings(yaml.safe_load((site / o).read_text()))]
        for name, text in texts(site).items():
            told += [(name, o) for o in strings(front_matter(text)) if not o.endswith('.html')]  # but for its own name
            told += [(name, o) for o in re.findall(r'\{\{< include (\S+) >\}\}', text)]
        file = re.compile(r'[\w./-]+\.(ipynb|qmd|md|txt|yml|css|scss|js|html|svg|png)')
        inside = lambda o: '..' not in Path(o).parts and (site / o).is_file()
        lost = [f'{name}: {o}' for name, o in told if file.fullmatch(o) and not inside(o)]
    complain('the staged folder lacks what it names', lost)


def heads():
    "Each page gives its own address as the canonical one, and in its card"
    bad, page = [], addresses()
    for name, text in texts(root / '_proc').items():
        url = f'{get_config(root).doc_url}/{page[name]}'.removesuffix('index.html')
        head = str(front_matter(text).get('format'))
        for o in f'<link rel="canonical" href="{url}">', f'<meta property="og:url" content="{url}">':
            if o not in head:
                bad.append(f'{name}: no {o}')
    complain('pages without their address, which Head in scripts/staging.py writes (doc_procs in pyproject.toml)', bad)


def documented():
    "On its page each function, class and patched method has a heading, a signature, and words for each parameter"
    bad = []
    for name, nb in staged().items():
        bad += [f'{name}: {o}' for o in re.findall(r'.*__main__.*|.*\*args, \*\*kwargs.*', markdown(nb))]
        if any('execution' in c.metadata or re.search(r'^show_doc\(', c.source, re.M) for c in nb.cells):
            bad.append(f'{name}: cells as nbdev leaves them')
    for mod, names in symbols().items():
        text, module = markdown(staged()[page_of(mod)]), importlib.import_module(f'hyperbolic_lr.{mod}')
        bad += [f'{mod}: nothing is said of {o}' for o in re.findall(r'^\| (`[^`]+`) \|.*\|  \|$', text, re.M)]
        for o in names:
            plain = '.' not in o and not callable(getattr(module, o))  # a constant
            if plain:
                continue
            signature = re.search(rf'^### {re.escape(o)}\n\n```python\n(.*?)\n```', text, re.M | re.S)
            if not signature or max(len(line) for line in signature[1].splitlines()) > 88:
                bad.append(f'{mod}.{o}')
            elif re.search(r'\([^*)]', signature[1]):  # it has parameters, other than **kwargs that another page tells
                section = text[signature.end() :].partition('\n### ')[0]
                if '| Parameter |' not in section:
                    bad.append(f'{mod}.{o}: no word on its parameters')
    complain('not as Symbols of scripts/staging.py makes them (doc_procs in pyproject.toml)', bad)


def shown_code(nb):
    "The lines of code that a staged page shows"
    blocks = [c.source for c in nb.cells if c.cell_type == 'code' and '#| echo: false' not in c.source]
    blocks += re.findall(r'```\w*\n(.*?)```', markdown(nb), re.S)
    return [o for b in blocks for o in b.splitlines() if not o.startswith('#|')]


def widths():
    "On the front page and on those of Start no line of code is longer than the 88 characters that a page shows"
    lines = [(name, o) for name in ('index.ipynb', *sections()['Start']) for o in shown_code(staged()[name])]
    complain('lines of code that the page cuts', [f'{name}: {o}' for name, o in lines if len(o) > 88])


def directives():
    "What Quarto would show or stumble over: unknown directives, options that are no YAML, raw syntax in the prose"
    bad = []
    for name, nb in staged().items():
        for c in nb.cells:
            lines = [o[2:] for o in c.source.splitlines() if o.startswith('#|')]
            if c.cell_type == 'code' and lines:
                try:
                    o = yaml.safe_load('\n'.join(lines))
                except yaml.YAMLError as e:
                    o = e
                if not isinstance(o, dict) or {*o} - options:
                    bad.append(f'{name}: {lines}')
            elif lines:
                bad.append(f'{name}: {lines}')
        bad += [f'{name}: {o}' for o in re.findall(r'^:::.*|\{\{<.*?>\}\}|^%.*', prose(nb), re.M)]
    complain('directives that the site would show', bad)


def formulas():
    "Formulas are closed, have braces in pairs and known commands; the numbers of a page's equations count up from one"
    bad = []
    for name, nb in staged().items():
        text = prose(nb).replace(r'\$', '')
        formula = r'\$\$(.+?)\$\$|\$(?=\S)([^$]+?)(?<=\S)\$(?!\d)'  # as Pandoc reads it
        bad += [
            f'{name}: a dollar sign is left over: {o}'
            for o in re.findall(r'.*\$.*', re.sub(formula, '', text, flags=re.S))
        ]
        for a, b in re.findall(formula, text, re.S):
            f, why = a or b, ''
            try:
                why = ' '.join(re.findall(r'<m\w+>(\\[a-zA-Z]+)', convert(f)))
            except Exception as e:
                why = type(e).__name__
            plain = re.sub(r'\\[{}]', '', f)
            if plain.count('{') != plain.count('}') or '\n\n' in f or why:
                bad.append(f'{name}: {f} {why}')
        tags = [int(o) for o in re.findall(r'\\tag\{(\d+)\}', text)]
        if tags != [*range(1, len(tags) + 1)]:
            bad.append(f'{name}: equations are numbered {tags}')
    complain('formulas that MathJax would not show', bad)


def anchors(nb):
    "What can be linked to on a page: its headings, as Quarto names them"
    heads = re.findall(r'^#+ (.*)$', markdown(nb), re.M)
    return {re.sub(r'[^\w\-. ]', '', h).strip().lower().replace(' ', '-') for h in heads}


def links():
    "Links of the staged pages to pages, headings, symbols and files lead somewhere; others are whole addresses"
    pages, cfg = staged(), get_config(root)
    html = {page: name for name, page in addresses().items()}
    heads = {name: anchors(nb) for name, nb in pages.items()}
    bad = []
    for name, nb in pages.items():
        text = prose(nb)
        bad += [f'{name}: a link within a link: {o}' for o in re.findall(r'\[\[[^\]]*\]\([^)]*\)\]\([^)]*\)', text)]
        for link in (
            {*re.findall(r'\]\(([^)\s]+)[^)]*\)', text)}
            | {*re.findall(r'(?:href|src)=["\']([^"\']+)', text)}
            | {*re.findall(r'^\[[^\]]+\]: (\S+)', text, re.M)}
        ):
            to, _, at = link.partition('#')
            if to.startswith(cfg.doc_url):
                to = html.get(to.removeprefix(cfg.doc_url).lstrip('/') or 'index.html', 'no page')
            elif to.startswith(cfg.git_url + '/'):
                file = re.sub(r'^/(?:blob|tree)/main/', '', to.removeprefix(cfg.git_url))
                if not file.startswith(('/issues', '/releases')) and not (root / file).exists():
                    bad.append(f'{name}: {link}')
                continue
            elif re.match(r'https?://[\w.-]+\.\w+(/|$)', to):
                continue
            else:
                to = posixpath.normpath(posixpath.join(posixpath.dirname(name), to)) if to else name
            inside = '..' not in to and (root / '_proc' / to).exists()
            if not inside or at and at not in heads.get(to, ()):
                bad.append(f'{name}: {link}')
    complain('these links lead nowhere', bad)


def pictures():
    "Every picture says in words what is seen on it, and is stored so that its true size is known and fits the column"
    dpi, bad = 2 * page_format['fig-dpi'], []
    for name, nb in staged().items():
        bad += [f'{name}: {o}' for o in re.findall(r'!\[\]\([^)]*\)|<img(?![^>]*alt="[^"])[^>]*>', prose(nb))]
        for c in nb.cells:
            drawn = c.cell_type == 'code' and any(k.startswith('image/') for o in c.outputs for k in o.get('data', {}))
            if drawn and not re.search(r'^#\| fig-alt: "?\w', c.source, re.M):
                bad.append(f'{name}: {c.source[:300]}')
            for png in [o.data['image/png'] for o in c.get('outputs', []) if 'image/png' in o.get('data', {})]:
                im = Image.open(io.BytesIO(b64decode(png)))
                stored = round(im.info.get('dpi', (0,))[0])
                if stored != dpi or im.width > 2 * column or im.mode != 'P':
                    bad.append(f'{name}: {im.width} pixels, {stored} dpi, mode {im.mode}\n{c.source[:300]}')
    complain('pictures without a fig-alt, not at their true size, or not reduced by scripts/pictures.py', bad)


def colab():
    "Under each title stands a badge that opens that very notebook, and the first code cell installs the package"
    bad = []
    for name, nb in sources().items():
        first = next(c.source for c in nb.cells if c.cell_type == 'code')
        badge = (
            f'<a href="https://colab.research.google.com/github/hyperbolic-lr/hyperbolic_lr/blob/main/nbs/{name}"><img '
        )
        if not nb.cells[1].source.startswith(badge):
            bad.append(f'{name}: no badge under the title, or as Markdown, a figure then')
        if '\n! [ -e /content ] && ' not in first or 'pip install -q' not in first or '#| eval: false' not in first:
            bad.append(f'{name}: the first code cell does not install the package')
    complain('not ready for Colab', bad)


def symbols():
    "{module: its public names}, patched methods as Class.method"
    res = {}
    for mod, syms in index['syms'].items():
        m = importlib.import_module(mod)
        patched = [
            o
            for o in (k.removeprefix(mod + '.') for k in syms)
            if '.' in o and o.partition('.')[0] not in m.__all__ and o[0] != '_'
        ]
        res[mod.rpartition('.')[2]] = [o for o in [*m.__all__, *patched] if not o.rpartition('.')[2].startswith('_')]
    return res


def lessons():
    "Every public symbol is used or shown by a lesson on the page that defines it, and stands in the reference"
    reference, bad = '\n'.join(outputs(sources()['api/index.ipynb'], 'text/markdown')), []
    for mod, names in symbols().items():
        nb = sources()[page_of(mod)]
        code = [
            c.source for c in nb.cells if c.cell_type == 'code' and not re.search(r'^#\| *export|^[!%]', c.source, re.M)
        ]
        nodes = [o for c in code for o in ast.walk(ast.parse(c))]
        seen = {getattr(o, 'id', getattr(o, 'attr', None)) for o in nodes} | {
            *re.findall(r'\w+', '\n'.join(outputs(nb, 'text/plain')))
        }
        for o in names:
            if o.rpartition('.')[2] not in seen:
                bad.append(f'{mod}.{o}: no lesson')
            if f'<code>{o}</code>' not in reference:
                bad.append(f'{mod}.{o}: not in the reference')
    complain('public symbols that the pages do not show', bad)


def shown_commands(nb):
    "(command, its arguments) in the shell blocks of a page, of the library's commands and of examples/"
    prose = '\n'.join(c.source for c in nb.cells if c.cell_type == 'markdown')
    for block in re.findall(r'```(?:sh|bash)\n(.*?)```', prose, re.S):
        lines = block.replace('\\\n', ' ')
        yield from re.findall(r'^(?:\$ )?(hyperbolic-\w+|python examples/\w+\.py)\b(.*)$', lines, re.M)


def function_of(command):
    "The function behind a command, an entry point or the script's `main`"
    if command.startswith('python'):
        return runpy.run_path(root / command.split()[1])['main']
    return scripts[command].load()


def commands():
    "The commands that the pages show exist, and know the options that they are shown with"
    bad = []
    for name, nb in sources().items():
        for command, args in shown_commands(nb):
            if command.startswith('hyperbolic-') and command not in scripts:
                bad.append(f'{name}: {command}')
                continue
            known = inspect.signature(function_of(command)).parameters
            options = [o.replace('-', '_') for o in re.findall(r'--([\w-]+)', args)]
            bad += [f'{name}: {command} --{o}' for o in options if o not in known]
    complain('commands or options that do not exist', bad)


def short_front_page():
    "README.md has at most 500 words beside code and pictures"
    text = re.sub(r'```.*?```|<[^>]*>|\]\([^)]*\)', ' ', (root / 'README.md').read_text(), flags=re.S)
    words = len([o for o in text.split() if re.search(r'\w', o)])
    complain('a front page of more than 500 words', [f'{words} words'] * (words > 500))


checks = {
    'the front page is short': short_front_page,
    'the sidebar lists the pages': sidebar,
    'the staged folder is whole elsewhere': alone,
    'each page has its address': heads,
    'the library is documented on its pages': documented,
    'lines of code fit in, where people start': widths,
    'no raw directives on the pages': directives,
    'formulas': formulas,
    'links on the staged pages': links,
    'pictures have words, and their true size': pictures,
    'every page opens in Colab': colab,
    'every public symbol has a lesson and is in the reference': lessons,
    'the commands on the pages have these options': commands,
}
