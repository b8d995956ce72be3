"""Drive `hyperbolic_lr.explorer.Explorer` in a real browser, and keep a screenshot of it in nbs/images/explorer.png.

pip install voila ipykernel playwright, and a Chromium (Debian: apt install chromium). Serves a notebook of one cell
with Voila, moves a slider by mouse and keyboard, and sees that pictures, code and shared settings follow; at the width
of a phone nothing sticks out.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import sync_playwright

root = Path(__file__).resolve().parent.parent
shot = root / 'nbs/images/explorer.png'
chromium = (
    os.environ.get('CHROMIUM')
    or shutil.which('chromium')
    or shutil.which('chromium-browser')
    or shutil.which('google-chrome')
)


def write(path):
    "A notebook with an explorer"
    cells = ['from hyperbolic_lr.explorer import Explorer', 'Explorer()']
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(o) for o in cells])
    nb.metadata.kernelspec = dict(name='python3', display_name='Python 3', language='python')
    nbformat.write(nb, path)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def serve(folder, module, *args, **variables):
    "A server of notebooks, run in a folder: its process and address"
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    path = f'{root}{os.pathsep}{os.environ.get("PYTHONPATH", "")}'
    env = os.environ | variables | dict(PYTHONPATH=path)
    env['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{env["PATH"]}'
    args = [sys.executable, '-m', module, *args, '--no-browser', f'--port={port}']
    log = Path(folder, 'server.log')
    with log.open('w') as f:
        proc = subprocess.Popen(args, cwd=folder, env=env, stdout=f, stderr=f)
    until(lambda: proc.poll() is not None or listens(port))
    if proc.poll() is not None:
        raise RuntimeError(log.read_text())
    return proc, f'http://127.0.0.1:{port}/'


def until(test, seconds=60):
    "What `test` returns, once it is true"
    end = time.time() + seconds
    while time.time() < end:
        if res := test():
            return res
        time.sleep(0.05)
    raise AssertionError(f'still not so after {seconds} s')


def code(page):
    return page.inner_text('.hyperbolic-code')


def pictures(page):
    return page.eval_on_selector_all('img.widget-image', 'x => x.map(o => o.src)')


def share(page):
    return page.locator('.widget-text input').last


def slider(page, name):
    return page.locator('.widget-hslider', has_text=name)


def start(page):
    "The code of an explorer that has just come up, with all its pictures"
    page.wait_for_selector('.hyperbolic-code', timeout=120_000)
    page.wait_for_function(
        "(x => x.length==5 && x.every(o => o.naturalWidth>0))([...document.querySelectorAll('img.widget-image')])",
        timeout=60_000,
    )
    assert 'max_iter=50' in code(page) and 'upper_bound=250' in code(page), code(page)
    return code(page)


def follow(page):
    "Drag N by mouse, move U by the keyboard: code, pictures and shared settings follow. Returns the code before that"
    first = start(page)
    seen, handle = pictures(page), slider(page, 'N (epochs)').locator('.noUi-handle')
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box['x'] + box['width'] / 2, box['y'] + box['height'] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y, steps=5)
    page.mouse.up()
    until(lambda: 'max_iter=50' not in code(page) and all(a != b for a, b in zip(seen, pictures(page))))
    N = int(re.search(r'max_iter=(\d+)', code(page))[1])
    assert N > 50 and f'"budgets":[{N},100,200]' in share(page).input_value(), (N, share(page).input_value())

    # how long until the picture is there
    handle, times = slider(page, 'U (epochs)').locator('.noUi-handle'), []
    handle.focus()
    for i in range(1, 8):
        seen, t = pictures(page), time.perf_counter()
        handle.press('ArrowRight')
        until(lambda: f'upper_bound={250 + i},' in code(page) and pictures(page)[0] != seen[0])
        times.append(1000 * (time.perf_counter() - t))
    print(f'N dragged to {N}, U to {250 + i}; from a key to the new picture {sorted(times)[3]:.0f} ms (median of 7)')
    return first


def drive(page, start):
    # a cooldown, by the keyboard, and the trunk of U
    handle, seen = slider(page, 'Cooldown').locator('.noUi-handle'), pictures(page)
    handle.focus()
    handle.press('ArrowRight')
    until(lambda: 'cooldown=' in code(page) and pictures(page)[0] != seen[0])
    page.locator('.widget-dropdown', has_text='Trunk').locator('select').select_option('of U')
    until(lambda: "trunk='upper_bound'" in code(page))

    # too small a U is explained; reset
    slider(page, 'U (epochs)').locator('.widget-readout').fill('150')
    slider(page, 'U (epochs)').locator('.widget-readout').press('Enter')
    until(lambda: 'Not drawn' in page.inner_text('body') and not page.query_selector('.hyperbolic-code'))
    page.get_by_role('button', name='Reset').click()
    until(lambda: page.query_selector('.hyperbolic-code') and code(page) == start)

    # a rival, from its own library, and the settings pasted back
    page.get_by_role('button', name='cosine', exact=True).click()
    until(lambda: "['cosine']" in code(page), 120)
    kept = share(page).input_value()
    page.get_by_role('button', name='Reset').click()
    until(lambda: code(page) == start)
    share(page).fill(kept)
    share(page).press('Enter')
    until(lambda: "['cosine']" in code(page))
    page.wait_for_timeout(500)


def keep(page):
    "A screenshot, and nothing sticks out on a phone"
    shot.parent.mkdir(exist_ok=True)
    page.screenshot(path=shot, full_page=True)
    Image.open(shot).convert('RGB').quantize(256).save(shot, optimize=True)
    page.set_viewport_size(dict(width=400, height=800))
    page.wait_for_timeout(800)
    page.screenshot(path=Path(tempfile.gettempdir(), 'explorer-phone.png'), full_page=True)
    over = page.evaluate(
        'Math.max(document.documentElement.scrollWidth, '
        "...[...document.querySelectorAll('.jupyter-widgets, .jupyter-widgets img, pre, table')]"
        '.map(o => o.getBoundingClientRect().right))'
    )
    assert over <= 400, f'{over} px wide on a phone of 400'
    print(f'{shot.relative_to(root)}: {shot.stat().st_size / 1000:.0f} kB')
    assert shot.stat().st_size < 150_000


def main(url):
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
        page = browser.new_page(viewport=dict(width=1000, height=1010))
        errors = []
        page.on('pageerror', lambda e: errors.append(str(e)))
        page.goto(url, wait_until='domcontentloaded', timeout=120_000)
        drive(page, follow(page))
        keep(page)
        assert not errors, errors
        browser.close()


if __name__ == '__main__':
    if not chromium:
        sys.exit('no Chromium found: install one, or name it in CHROMIUM')
    with tempfile.TemporaryDirectory() as d:
        write(Path(d, 'explorer.ipynb'))
        proc, url = serve(d, 'voila', 'explorer.ipynb')
        try:
            main(url)
        finally:
            proc.terminate()
            proc.wait(20)
    print('the explorer works in a browser')
