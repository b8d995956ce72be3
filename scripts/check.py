"""What `make test` runs: every notebook, and checks that the repository is in order.

Ends with a line `N passed, M failed`. nbdev-test runs each notebook, in a process of its own: pytest's plug-ins for
notebooks do not know nbdev's directives, and nbdev-test over a whole folder stops when one notebook takes Python down
with it, without a word on which.
"""

import ast
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from itertools import chain
from pathlib import Path

import nbformat

import pages

root = Path(__file__).resolve().parent.parent
os.chdir(root)
os.environ['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
os.environ['MPLBACKEND'] = 'agg'
os.environ['PYTHONFAULTHANDLER'] = '1'  # a notebook that dies by a signal says in which line


def sh(*cmd, minutes=20, **kwargs):
    "Output of a command; if it fails or takes longer, RuntimeError with how it ended and the last lines of its output"
    cmd = [str(o) for o in cmd]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    proc = subprocess.Popen(cmd, **pipes, **kwargs)
    try:
        out, _ = proc.communicate(timeout=60 * minutes)
    except subprocess.TimeoutExpired:
        proc.send_signal(signal.SIGABRT)  # faulthandler then prints where it was
        try:
            out, _ = proc.communicate(timeout=5)
        except subprocess.TimeoutExpired as e:
            out = (e.output or b'').decode()  # a child of it still holds the pipe
        proc.wait()
        out += f'\nstill running after {minutes} minutes'
    if not proc.returncode:
        return out
    ended = (
        f'exit code {proc.returncode}' if proc.returncode > 0 else f'died by {signal.Signals(-proc.returncode).name}'
    )
    lines = out.splitlines()
    raise RuntimeError('\n'.join([f'{" ".join(cmd)}: {ended}', *(['...'] if len(lines) > 100 else []), *lines[-100:]]))


def tree():
    "Every file that is in git or could be, and a hash of what it holds"
    files = sh('git', 'ls-files', '-co', '--exclude-standard').split('\n')[:-1]
    return {o: hashlib.sha1(Path(o).read_bytes()).hexdigest() for o in files if Path(o).is_file()}


def export_and_clean():
    before = tree()
    sh('nbdev-export')
    sh('nbdev-clean')
    sh(
        sys.executable, '-c', 'from nbdev.quarto import refresh_quarto_yml; refresh_quarto_yml()'
    )  # nbs/nbdev.yml, as the docs build does
    after = tree()
    changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    if changed:
        raise RuntimeError(f'nbdev-export and nbdev-clean changed {", ".join(changed)}. Commit what they made of it.')


def outputs_stored():
    "A notebook whose pictures and values are missing, or that shows an error or a warning, is no page to read"
    for path in Path('nbs').rglob('*.ipynb'):
        if path.parts[1].startswith(('_', '.')):
            continue
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != 'code' or any(
                o in cell.source for o in ('#| export', '#| cuda', '#| slow', '#| eval: false')
            ):
                continue
            if any(o.output_type == 'error' or o.get('name') == 'stderr' for o in cell.outputs):
                raise RuntimeError(f'{path}: a cell has an error or a warning as its output\n{cell.source}')
            body = ast.parse(re.sub('^[%!].*', '', cell.source, flags=re.M)).body
            if (
                'plt.subplots' in cell.source
                and not any('image/png' in o.get('data', {}) for o in cell.outputs)
                and 'def ' not in cell.source
            ):
                raise RuntimeError(
                    f'{path}: the picture of this cell is not stored; run nbdev-test --save {path}\n{cell.source}'
                )
            shows = (
                body
                and isinstance(body[-1], ast.Expr)
                and isinstance(body[-1].value, (ast.Name, ast.Tuple, ast.Subscript, ast.Dict))
            )
            if shows and not cell.outputs and '#| hide' not in cell.source:
                raise RuntimeError(
                    f'{path}: the output of this cell is not stored; run nbdev-test --save {path}\n{cell.source}'
                )


floors = [
    'checks signals',
    'curves rates style loader models identity',
    'schedulers sensitivity tasks response',
    'results callback forecast presets lightning transformers',
    'report dynamics adas anytime',
    'rivals',
    'plots runner',
    'store replicas',
    'protocol',
    'plan',
    'explorer cli',
]
upward = {('results', 'report')}  # when a picture or a page is asked for


def imported(nodes):
    "Names of the modules that these statements import, relative ones in full"
    for o in nodes:
        if isinstance(o, ast.Import):
            yield from (a.name for a in o.names)
        elif isinstance(o, ast.ImportFrom):
            module = '.'.join(filter(None, ['hyperbolic_lr'] * bool(o.level) + [o.module]))
            yield from (f'{module}.{a.name}' for a in o.names)


def imports_one_way():
    "A module imports only what lies on a floor below it; what is on the way to the protocol names no picture library"
    floor = {room: i for i, rooms in enumerate(floors) for room in rooms.split()}
    bad = sorted({p.stem for p in Path('hyperbolic_lr').glob('[!_]*.py')} ^ floor.keys())
    for room in floor.keys() - set(bad):
        tree = ast.parse(Path(f'hyperbolic_lr/{room}.py').read_text())
        others = {
            o.partition('.')[2].partition('.')[0] for o in imported(ast.walk(tree)) if o.startswith('hyperbolic_lr.')
        }
        bad += [f'{room} imports {o}' for o in others if floor[o] >= floor[room] and (room, o) not in upward]
        at_top = imported(tree.body)
        if floor[room] < floor['plots'] and room != 'report' or room in ('runner', 'store', 'protocol'):
            bad += [f'{room} imports {o}' for o in at_top if o.split('.')[0] in ('matplotlib', 'jinja2')]
    if bad:
        raise RuntimeError(f'not as `floors` in scripts/check.py says: {bad}')


def deaths():
    "What is said of a command that dies by a signal, or hangs with a child: how it ended, its output, and where it was"
    child = 'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])'
    for code, minutes in ('os.abort()', 20), (f'{child}; time.sleep(60)', 0.02):
        said, start = '', time.time()
        try:
            sh(
                sys.executable,
                '-c',
                f'import os,subprocess,sys,time; print("before", flush=True); {code}',
                minutes=minutes,
            )
        except RuntimeError as e:
            said = str(e)
        wanted = ['died by SIGABRT', 'before', 'File "<string>", line 1'] + ['still running'] * (minutes < 1)
        missing = [o for o in wanted if o not in said]
        if missing or time.time() - start > 50:
            raise RuntimeError(f'{missing} not in what is said of {code}:\n{said}')


def demo_runs():
    with tempfile.TemporaryDirectory() as d:
        out = sh(
            sys.executable,
            'examples/digits.py',
            '--schedules',
            'exp-hyperbolic',
            '--budgets',
            '1,2',
            '--seeds',
            '0',
            '--trials',
            '1',
            '--store',
            d,
        )
        if 'exp-hyperbolic' not in out or not all(Path(d, o).stat().st_size for o in ('curves.png', 'report.html')):
            raise RuntimeError(out)


def paper_runs():
    "One schedule of the paper's smallest task, smaller still: tuned, trained at all budgets, and stored"
    with tempfile.TemporaryDirectory() as d:
        script = (
            'import sys; sys.path.insert(0, "examples"); import paper; '
            'paper.small["deeponet"] |= dict(n=100, width=8); '
            'paper.main(only="deeponet", under="E", trials=1, jobs=1, store=sys.argv[1])'
        )
        sh(sys.executable, '-c', script, d)
        if not Path(d, 'tables', 'deeponet', 'curves.csv.gz').stat().st_size:
            raise RuntimeError('no tables')


def types():
    "mypy accepts the library, and sees a wrong argument of a scheduler in a user's script"
    sh('mypy', 'hyperbolic_lr')
    with tempfile.TemporaryDirectory() as d:
        script = Path(d, 'script.py')
        script.write_text("""
import torch
from hyperbolic_lr import HyperbolicLR
from hyperbolic_lr.callback import HyperbolicLRCallback
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
HyperbolicLR(optimizer, upper_bound=250, max_iter=50)
HyperbolicLR(optimizer, upper_bound='x')
HyperbolicLRCallback(upper_bound='x')
""")
        said = subprocess.run(['mypy', script], capture_output=True, text=True).stdout
    wrong = [int(o) for o in re.findall(r'script.py:(\d+): error: .*upper_bound', said)]
    if wrong != [7, 8]:
        raise RuntimeError(f'mypy should complain of lines 7 and 8, and said\n{said}')


def needed_by(name):
    "The installed distributions that installing `name` brings, itself included"
    todo, found = [name], {}
    while todo:
        o = re.match(r'[\w.-]+', todo.pop())[0]
        try:
            dist = metadata.distribution(o)
        except metadata.PackageNotFoundError:
            continue
        if dist.name in found:
            continue
        found[dist.name] = dist
        todo += [r for r in dist.requires or [] if 'extra ==' not in r]
    return found.values()


def packages():
    "What a release would publish is complete for PyPI; a wheel from the source distribution is the one from here"
    with tempfile.TemporaryDirectory() as d:
        clean = Path(d, 'src')  # what git has and could have, without what earlier builds have left
        for o in tree():
            (clean / o).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(o, clean / o)
        env = os.environ | {'SOURCE_DATE_EPOCH': '1700000000'}  # the times in an archive
        build = lambda out, *args: sh(
            sys.executable, '-m', 'build', '--no-isolation', *args, '-o', f'{d}/{out}', clean, env=env
        )
        build('both')  # the wheel from the source distribution
        build('direct', '--wheel')
        wheels = [next(Path(d, o).glob('*.whl')).read_bytes() for o in ('both', 'direct')]
        if wheels[0] != wheels[1]:
            raise RuntimeError(
                'the wheel built from the source distribution differs from the one built from the repository'
            )
        sh(sys.executable, '-m', 'twine', 'check', '--strict', *Path(d, 'both').iterdir())
        wheel = next(Path(d, 'both').glob('*.whl'))
        if 'hyperbolic_lr/py.typed' not in zipfile.ZipFile(wheel).namelist():
            raise RuntimeError(f'{wheel.name} lacks py.typed')
        wheel_with_torch_alone(wheel)


def wheel_with_torch_alone(wheel):
    "The wheel is used where nothing can be imported but torch and what torch itself installs"
    with tempfile.TemporaryDirectory() as d:
        sh(sys.executable, '-m', 'zipfile', '-e', wheel, f'{d}/lib')
        for dist in needed_by('torch'):
            for top in {o.parts[0] for o in dist.files} - {'..'}:
                if not Path(d, 'lib', top).exists():
                    Path(d, 'lib', top).symlink_to(dist.locate_file(top))
        isolated = lambda code: sh(sys.executable, '-S', '-c', code, env={'PYTHONPATH': f'{d}/lib'}, cwd=d)
        isolated(
            'import importlib.util as u; assert not any(map(u.find_spec, ("numpy","fastai","fastcore","matplotlib")))'
        )
        isolated("""
import torch
from hyperbolic_lr import HyperbolicLR, ExpHyperbolicLR
opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
scheds = HyperbolicLR(opt, 10, 10, 0), ExpHyperbolicLR(opt, 10, 10)
opt.step()
for o in scheds: o.step()
""")


notebooks = {
    str(p): lambda p=p: sh('nbdev-test', p)
    for p in sorted(o for o in Path('nbs').rglob('*.ipynb') if o.parts[1][0] not in '_.')
}
checks = {
    'a test that dies says how and where': deaths,
    'nbdev-export and nbdev-clean change nothing': export_and_clean,
    'the notebooks have their outputs': outputs_stored,
    'README.md is what nbs/index.ipynb says': lambda: sh(sys.executable, 'scripts/readme.py', '--check'),
    **pages.checks,
    'rooms import one way': imports_one_way,
    'notebooks and scripts are formatted': lambda: sh('ruff', 'format', '--check', 'nbs', 'scripts', 'examples'),
    'spelling': lambda: sh('codespell', 'nbs', 'examples', 'scripts', '.github', *Path('.').glob('*.[mtip]*')),
    'lint': lambda: sh('ruff', 'check', '.'),
    'types': types,
    'the demo runs': demo_runs,
    "the paper's experiment runs": paper_runs,
    'the packages are built, and work with torch alone': packages,
}


def tried(check):
    "What `check` complains of, or nothing, and the seconds that it took"
    start, error = time.time(), None
    try:
        check()
    except Exception as e:
        error = f'{type(e).__name__}: {e}'
    return error, time.time() - start


def main():
    failed = 0
    with ThreadPoolExecutor(2) as pool:  # two notebooks at a time; the other checks look at the whole tree, one by one
        for name, (error, seconds) in chain(
            zip(notebooks, pool.map(tried, notebooks.values())), ((k, tried(f)) for k, f in checks.items())
        ):
            print(f'{name} ... FAILED\n{error}' if error else f'{name} ... ok, {seconds:.0f} s', flush=True)
            failed += error is not None
    print(f'{len(notebooks) + len(checks) - failed} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
