"""Run the lessons in JupyterLab's own interface, as a reader does: `python scripts/browser_lab.py [PATHS FROM NBS]`.

pip install jupyterlab playwright pypandoc_binary, and a Chromium (Debian: apt install chromium). Without paths, those
of nbs/start and nbs/guides. Each is opened, in a copy of nbs/ without outputs, run by the menu on a fresh kernel and
saved: no cell and no script may fail or warn, what is stored must come out again, and all pictures must load. Then the
explorer and the figures to drag are driven. SHOTS names a folder for screenshots.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

import browser_explorer as explorer
from browser_pages import chromium, drag

nbs = explorer.root / 'nbs'
settings = {
    'notebook-extension:tracker': dict(windowingMode='none', scrollPastEnd=False),  # all cells are in the page
    'apputils-extension:notification': dict(fetchNews='false', checkForUpdates=False, doNotDisturbMode=True),
}


def copy(folder):
    "The notebooks without outputs, with cells for Colab alone as raw ones that cannot run, and one with an explorer"
    shutil.copytree(nbs, folder)
    shutil.copytree(explorer.root / 'scripts', folder.parent / 'scripts')  # what some cells import
    for path in folder.rglob('*.ipynb'):
        nb = nbformat.read(path, as_version=4)
        for i, c in enumerate(nb.cells):
            if c.cell_type == 'code':
                fresh = nbformat.v4.new_raw_cell if '#| eval: false' in c.source else nbformat.v4.new_code_cell
                nb.cells[i] = fresh(c.source)
        nbformat.write(nb, path)
    explorer.write(folder / 'explorer.ipynb')


def serve(folder):
    "JupyterLab with a home and settings of its own"
    home = {o: f'{folder}/{o}' for o in ('HOME', 'IPYTHONDIR', 'JUPYTER_CONFIG_DIR', 'JUPYTER_DATA_DIR')}
    overrides = Path(home['JUPYTER_CONFIG_DIR'], 'labconfig/default_setting_overrides.json')
    overrides.parent.mkdir(parents=True)
    overrides.write_text(json.dumps({f'@jupyterlab/{k}': v for k, v in settings.items()}))
    args = f'--ServerApp.root_dir={folder}/nbs', '--IdentityProvider.token=', '--allow-root', '--ip=127.0.0.1'
    return explorer.serve(folder, 'jupyterlab', *args, **home)


def menu(page, name, item):
    page.locator('.lm-MenuBar-item', has_text=name).first.click()
    page.locator('.lm-Menu-item', has_text=item).first.click()


def run(page, url, name):
    "Open a notebook, run it by the menu from a fresh kernel, and save it"
    page.goto(f'{url}lab/tree/{name}?reset', timeout=120_000)
    idle = page.locator('.jp-Notebook-ExecutionIndicator[data-status=idle]')
    idle.wait_for(timeout=120_000)
    page.wait_for_timeout(2000)  # a kernel that is restarted while it still starts may lose what it is to run
    menu(page, 'Run', 'Restart Kernel and Run All Cells')
    page.locator('.jp-Dialog .jp-mod-accept').click()

    def done():
        seen = page.locator('.jp-CodeCell .jp-InputPrompt').all_inner_texts()
        return any(o.strip('[]: ') for o in seen) and not any('*' in o for o in seen) and idle.count()

    explorer.until(done, 600)
    page.wait_for_timeout(500)
    menu(page, 'File', 'Save Notebook')
    explorer.until(lambda: not page.locator('.jp-mod-current.jp-mod-dirty').count())


def wrong(stored, cell):
    "What is wrong with a cell that has been run, next to the one that is stored"
    errors = [f'{o.ename}: {o.evalue}' for o in cell.outputs if o.output_type == 'error']
    kinds = lambda cell: Counter(kind for o in cell.outputs for kind in o.get('data', [o.output_type]))
    missing = [f'no {o}' for o in (kinds(stored) - kinds(cell) if stored else ())]
    return errors + missing + ['was not run'] * (cell.source != '' and cell.execution_count is None)


def compare(name, folder):
    "What is wrong with the cells of a notebook that has been run, and what they say in red"
    cells, found = nbformat.read(folder / 'nbs' / name, as_version=4).cells, []
    stored = nbformat.read(nbs / name, as_version=4).cells if (nbs / name).exists() else [None] * len(cells)
    for i, (old, new) in enumerate(zip(stored, cells, strict=True)):
        if new.cell_type == 'code':
            cell = f'{name}, cell {i}, {new.source.partition(chr(10))[0]}'
            found += [f'{cell}: {o}' for o in wrong(old, new)]
            found += [f'{cell}: in red: {o.text}' for o in new.outputs if o.get('name') == 'stderr']
    return found


def shoot(page, path):
    "A screenshot of the whole notebook"
    panel = page.locator('.jp-Notebook .jp-WindowedPanel-outer')
    height = panel.evaluate('o => o.scrollHeight')
    page.set_viewport_size(dict(width=1300, height=min(height + 150, 16_000)))
    panel.evaluate('o => o.scrollTop = 0')
    page.wait_for_timeout(500)
    page.screenshot(path=path)
    page.set_viewport_size(dict(width=1300, height=1000))


def visit(page, url, name, folder, shots, then):
    "Run and look at a notebook, and do more there: what is wrong"
    start, found = time.time(), []
    page.on('pageerror', lambda e: found.append(f'{name}, script: {e}'))
    run(page, url, name)
    found += compare(name, folder)
    loaded = page.eval_on_selector_all('.jp-OutputArea-output img', 'o => o.map(x => x.naturalWidth > 0)')
    found += [f'{name}: a picture does not load'] * loaded.count(False)
    shoot(page, shots / f'{name.replace("/", "-")}.png')
    then(page)
    menu(page, 'Kernel', 'Shut Down Kernel')
    page.wait_for_timeout(500)
    page.close()
    print(f'{name}: {len(loaded)} pictures, {time.time() - start:.0f} s', *found, sep='\n  ', flush=True)
    return found


def main(names):
    shots = Path(os.environ.get('SHOTS') or tempfile.mkdtemp())
    lessons = [o.relative_to(nbs).as_posix() for d in ('start', 'guides') for o in sorted(nbs.glob(f'{d}/*.ipynb'))]
    todo = dict.fromkeys(names or lessons, lambda page: None)
    todo |= {'explorer.ipynb': explorer.follow, 'explain/01_epoch_sensitivity.ipynb': drag}
    with tempfile.TemporaryDirectory() as d, sync_playwright() as p:
        folder = Path(d)
        copy(folder / 'nbs')
        proc, url = serve(folder)
        try:
            browser = p.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
            page = lambda: browser.new_page(viewport=dict(width=1300, height=1000))
            found = [visit(page(), url, name, folder, shots, then) for name, then in todo.items()]
        finally:
            proc.terminate()
            proc.wait(20)
    print(f'screenshots in {shots}')
    sys.exit(any(found))


if __name__ == '__main__':
    main(sys.argv[1:])
