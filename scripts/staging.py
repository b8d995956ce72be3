"""What is done to each notebook that nbdev stages for the site, after its own steps: `doc_procs` in pyproject.toml."""

import ast
import inspect
import re
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from textwrap import wrap
from types import NoneType

import yaml
from fastcore.docments import docments
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup
from nbdev.process import Processor

from scripts import lone_torchvision  # noqa: F401

empty = inspect.Parameter.empty


def type_name(annotation):
    "An annotation without its modules: 'float or list' for float | list"
    if annotation in (empty, None, NoneType):
        return ''
    name = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r'(?:\w+\.)+(\w+)', r'\1', name).replace(' | ', ' or ')


def value_name(value):
    return value.__name__ if hasattr(value, '__name__') else repr(value)


def bare(param):
    return str(param.replace(annotation=empty, default=empty))


def text(s):
    "A docstring or a comment as Markdown in which only backticks have a meaning"
    parts = re.split(r'(`[^`]*`)', s or '')
    parts[::2] = [re.sub(r"""([*_^~$<|\\[\]@'"])""", r'\\\1', o) for o in parts[::2]]
    return ''.join(parts)


def split_doc(doc):
    "(what comes before, {argument: what it is}, what comes after) of a docstring with a section `Args:`"
    before, _, rest = (doc or '').partition('Args:\n')
    args, _, after = rest.partition('\n\n')
    found = re.findall(r'^ {4}(\w+): (.*(?:\n {5,}.*)*)', args, re.M)
    return before.rstrip(), {k: re.sub(r'\s+', ' ', v) for k, v in found}, after


def sections(doc):
    "A docstring's Raises and Example as Markdown"
    raised = re.search(r'Raises:\n((?: +.*\n?)+)', doc)
    shown = re.search(r'Example:\n((?: +.*\n?)+)', doc)
    res = [f'- {text(o)}' for o in re.findall(r'^ {4}(\S.*)$', raised[1], re.M)] if raised else []
    if shown:
        res += ['', '```python', *[o.strip()[4:] for o in shown[1].splitlines()], '```']
    return '\n'.join(res)


def paragraphs(doc, linkify):
    "The paragraphs of a docstring as Markdown, those that are indented as code"
    parts = re.split(r'\n\n', doc)
    return '\n\n'.join(f'```\n{o.strip()}\n```' if o.startswith('    ') else linkify(text(o)) for o in parts)


def last_delegate(sym):
    "What `sym` passes its ** parameters on to, as `delegates` of fastcore notes it: a class in place of its __init__"
    while hasattr(sym, '__delwrap__'):
        sym = sym.__delwrap__
    if getattr(sym, '__name__', '') == '__init__':
        return getattr(import_module(sym.__module__), sym.__qualname__.split('.')[0])
    return sym


def parameters(sym):
    "(parameters, type of the result, {name or 'return': what is said}), without what a class has from another library"
    if inspect.isclass(sym):
        maker = next(c for c in sym.__mro__ if {'__init__', '__new__'} & c.__dict__.keys())
        if not maker.__module__.startswith('hyperbolic_lr'):
            return [], empty, {}
    sig, source = inspect.signature(sym), inspect.getsource(sym)
    says = docments(sym, returns=not inspect.isclass(sym))
    if inspect.isclass(sym) and issubclass(sym, tuple):  # docments knows neither named tuples nor ** parameters
        says = dict(re.findall(r'^ +(\w+):[^#\n]+# (.*)$', source, re.M))
    says |= dict(re.findall(r'\*\*(\w+)(?:: [\w.]+)?,? *# (.*)', source)) | split_doc(inspect.getdoc(sym))[1]
    says = split_doc(inspect.getdoc(last_delegate(sym)))[1] | {k: v for k, v in says.items() if v}
    params = [p for p in sig.parameters.values() if p.name != 'self']
    result = empty if inspect.isclass(sym) else sig.return_annotation
    return params, result, says


def signature(name, params, result):
    "The call with its defaults, in lines of at most 80 characters"
    shown = [bare(p) + ('' if p.default is empty else f'={value_name(p.default)}') for p in params]
    named = [i for i, p in enumerate(params) if p.kind == p.KEYWORD_ONLY]
    if named and not any(p.kind == p.VAR_POSITIONAL for p in params):
        shown.insert(named[0], '*')
    end = f') -> {result}' if result else ')'
    whole = ', '.join(o.replace(' ', '\0') for o in shown) + end.replace(' ', '\0')  # to be broken after commas only
    indent = ' ' * (len(name) + 1)
    lines = wrap(whole, 80 - len(indent), break_long_words=False, break_on_hyphens=False)
    return f'{name}(' + ('\n' + indent).join(lines).replace('\0', ' ')


def table(params, result, says):
    "A row for each parameter and one for the result, without empty columns; nothing if there is nothing to say of them"
    if not any(says.values()):
        return ''
    rows = []
    for p in params:
        default = '' if p.default is empty else f'`{value_name(p.default)}`'
        rows.append((f'`{bare(p)}`', text(type_name(p.annotation)), default, text(says.get(p.name))))
    last = text(type_name(result)), '', text(says.get('return'))
    if any(last):
        rows.append(('**returns**', *last))
    heads = ('Parameter', 12), ('Type', 10), ('Default', 10), ('What it is', 30)  # widths in proportion
    used = [i for i in range(4) if any(r[i] for r in rows)]
    lines = [[heads[i][0] for i in used], [':' + '-' * heads[i][1] for i in used]] + [
        [r[i] for i in used] for r in rows
    ]
    return ''.join('| ' + ' | '.join(o) + ' |\n' for o in lines)


def documented(name, sym):
    "What a page says of a symbol of the library: heading, signature, docstring, parameters"
    is_property, lookup = isinstance(sym, property), NbdevLookup()
    if is_property:
        sym = sym.fget
    params, result, says = parameters(sym)
    link = f'[source]({lookup.code(sym.__qualname__)}){{style="float:right; font-size:smaller"}}'
    call = signature(name.rpartition('.')[2], params, type_name(result))
    if is_property:
        call = call.replace('()', '', 1)
    own = {f'`{p.name}`' for p in params}  # a parameter is not the function of the same name

    def linkify(s):
        return re.sub(r'`[^`]+`', lambda m: m[0] if m[0] in own else lookup.linkify(m[0]), s)

    before, _, after = split_doc(inspect.getdoc(sym))
    said = [paragraphs(before, linkify), table(params, result, says), sections(after)]
    return f'{link}\n\n### {name}\n\n```python\n{call}\n```\n\n' + '\n\n'.join(filter(None, said))


class Symbols(Processor):
    """The cells of show_doc become Markdown, made of the symbols of the exported library

    In a cell of code that nbdev has run, Quarto would leave their headings out of "On this page".
    """

    def __init__(self, nb):
        super().__init__(nb)
        self.module = next((c.directives_['default_exp'] for c in nb.cells if 'default_exp' in c.directives_), None)

    def cell(self, cell):
        cell.metadata.pop('execution', None)  # Quarto would write it into the page
        shown = re.search(r'^show_doc\((.*)\)$', cell.source, re.M) if cell.cell_type == 'code' else None
        if not shown:
            return
        name = ast.unparse(ast.parse(shown[1]).body[0].value)
        sym = attrgetter(name)(import_module(f'hyperbolic_lr.{self.module}'))
        cell.cell_type, cell.source = 'markdown', documented(name, sym)
        del cell['outputs'], cell['execution_count']


class Head(Processor):
    "The page's own address in its head, for search engines and cards"

    def end(self):
        front = yaml.safe_load(self.nb.cells[0].source.strip('-\n'))
        folder = Path(self.nb.path_).resolve().parent.relative_to(get_config().nbs_path.resolve())
        url = f'{get_config().doc_url}/{(folder / front["output-file"]).as_posix()}'.removesuffix('index.html')
        head = f'<link rel="canonical" href="{url}">\n<meta property="og:url" content="{url}">'
        front['format'] = {'html': {'include-in-header': [{'text': head}]}, 'commonmark': 'default'}
        self.nb.cells[0].source = f'---\n{yaml.dump(front, sort_keys=False)}---\n'
