"""Look at every page in a browser without Quarto: staged by nbdev, set by Pandoc in the site's theme and style sheet.

pip install playwright pypandoc_binary, and a Chromium (Debian: apt install chromium). On each page all formulas are
set, all pictures load, no script fails, "On this page" names what the page documents, and nothing sticks out of the
column at the width of a screen or of a phone. The figures to drag are dragged, by mouse, key and finger. MATHJAX and
BOOTSTRAP name other places to load MathJax 3 and Bootswatch's Cosmo from, for use without a network; with SHOTS, a
folder, pictures of the figures are kept there.
"""

import io
import os
import re
import shutil
import sys
import tempfile
from base64 import b64decode
from html import escape
from pathlib import Path

import pypandoc
import yaml
from PIL import Image
from playwright.sync_api import sync_playwright

import pages

mathjax = os.environ.get('MATHJAX', 'https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-chtml-full.js')
bootstrap = os.environ.get('BOOTSTRAP', 'https://cdn.jsdelivr.net/npm/bootswatch@5.3.3/dist/cosmo/bootstrap.min.css')
browsers = 'chromium', 'chromium-browser', 'google-chrome'
chromium = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, browsers)), None)
template = f'''<!DOCTYPE html><html><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{bootstrap}"><style> /* what Quarto adds to the theme */
  html {{ font-size: 17px }}
  main {{ width: {pages.column}px; max-width: 100%; margin: auto }}
  @media (max-width: 700px) {{ main {{ padding: 0 1rem }} }}
  .table a {{ word-break: break-word }} div.sourceCode, pre {{ overflow-x: auto }} </style>
<link rel="stylesheet" href="file://STYLES">
<script src="{mathjax}"></script></head>
<body><nav id="TOC">$toc$</nav><main><h1>$title$</h1>$body$</main></body></html>'''


def output(o, options, picture):
    "An output of a cell as Markdown; `picture` takes a PNG and returns where it has put it"
    data = o.get('data', {})
    if 'text/markdown' in data:
        return data['text/markdown']
    if 'text/html' in data:
        return f'```{{=html}}\n{data["text/html"]}\n```'
    if 'image/png' in data:
        png = b64decode(data['image/png'])
        return (
            f'![]({picture(png)}){{alt="{escape(options["fig-alt"])}" width={Image.open(io.BytesIO(png)).width // 2}}}'
        )
    return f'````\n{o.get("text") or data.get("text/plain", "")}\n````'


def convert(name, nb, folder):
    "Write the page as HTML, with its pictures"
    target = folder / f'{name}.html'
    target.parent.mkdir(exist_ok=True)

    def picture(png):
        file = target.with_name(f'{target.stem}_{len([*target.parent.glob(f"{target.stem}_*.png")])}.png')
        file.write_bytes(png)
        return file.name

    blocks = []
    for c in nb.cells[1:]:
        if c.cell_type != 'code':
            blocks.append(c.source)
            continue
        lines = c.source.splitlines()
        options = yaml.safe_load('\n'.join(o[3:] for o in lines if o.startswith('#| ')))
        if not isinstance(options, dict):
            options = {}
        source = '\n'.join(o for o in lines if not o.startswith('#|'))
        if options.get('echo') is not False:
            blocks.append(f'````python\n{source}\n````')
        if options.get('output') is not False:
            blocks += [f'::: {{.cell-output-display}}\n{output(o, options, picture)}\n:::' for o in c.outputs]
    title = pages.front_matter(nb.cells[0].source)['title']
    args = ['--mathjax', '--toc', '--standalone', f'--template={folder}/template.html', '-M', f'title={title}']
    page = pypandoc.convert_text('\n\n'.join(blocks), 'html5', 'markdown', extra_args=args)
    target.write_text(page.replace('<table', '<table class="table"'))


sticks_out = """() => { // what reaches beyond the column where nothing around it scrolls
  const right = document.querySelector('main').getBoundingClientRect().right + 1
  const held = o => {
    for (o = o.parentElement; o.tagName != 'MAIN'; o = o.parentElement)
      if (getComputedStyle(o).overflowX != 'visible') return true
  }
  return [...document.querySelectorAll('main *')]
    .filter(o => o.getBoundingClientRect().right > right && !o.closest('mjx-assistive-mml') && !held(o))
    .map(o => `${o.tagName} sticks out: ${o.textContent.slice(0, 60)}`).slice(0, 3) }"""
broken_names = """() => [...document.querySelectorAll('td code')]
  .filter(o => o.getClientRects().length > 1).map(o => `broken in the middle: ${o.textContent}`)"""
prose = """() => [...document.querySelectorAll('main p, main li')].map(o => {
  const c = o.cloneNode(true)
  c.querySelectorAll('code, mjx-container').forEach(x => x.remove())
  return c.textContent }).join('\\n')"""
lost_pictures = """() => [...document.querySelectorAll('img')]
  .filter(o => !o.naturalWidth && !o.src.startsWith('http')).map(o => `picture: ${o.src}`)"""


def look(page, folder, name, nb):
    "The number of formulas, and what is wrong with a page at the width of a screen and of a phone"
    errors, wrong = [], []
    page.on('pageerror', lambda e: errors.append(str(e)))
    page.set_viewport_size(dict(width=1400, height=900))
    page.goto(f'file://{folder}/{name}.html')
    page.wait_for_function('window.MathJax && MathJax.startup && MathJax.startup.promise', timeout=60_000)
    page.evaluate('MathJax.startup.promise')
    wrong += page.eval_on_selector_all('mjx-merror', 'o => o.map(x => "formula: " + x.textContent)')
    wrong += [f'left over: {o}' for o in re.findall(r'.*(?:\$\$|\\tag|\\frac|^#\||^:::).*', page.evaluate(prose), re.M)]
    wrong += page.evaluate(lost_pictures)
    listed = page.eval_on_selector_all('#TOC a', 'o => o.map(x => x.textContent)')
    documented = re.findall(r'^### (.*)\n\n```python', pages.markdown(nb), re.M)
    wrong += [f'not in "On this page": {o}' for o in documented if o not in listed]
    wrong += page.evaluate(sticks_out) + page.evaluate(broken_names)
    page.set_viewport_size(dict(width=390, height=800))
    page.wait_for_timeout(200)
    wrong += [f'on a phone: {o}' for o in page.evaluate(sticks_out) + page.evaluate(broken_names)]
    width = page.evaluate('document.documentElement.scrollWidth')
    if width > 390:
        wrong.append(f'on a phone the page is {width} pixels wide')
    return page.evaluate('document.querySelectorAll("mjx-container").length'), wrong + errors


def state(fig):
    return fig.locator('.says').inner_text(), fig.locator('.picture').inner_html()


def center(fig, param):
    "Where a handle is on the screen"
    box = fig.locator(f'circle.grip[data-param={param}]').bounding_box()
    return box['x'] + box['width'] / 2, box['y'] + box['height'] / 2


def drag_handle(page, fig, param):
    "By mouse: the picture and the sentence follow until the button is up"
    before, (x, y) = state(fig), center(fig, param)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=8)
    page.mouse.up()
    after = state(fig)
    assert after[0] != before[0] and after[1] != before[1], param
    page.mouse.move(x, y, steps=3)
    assert state(fig) == after, f'{param} still follows after the mouse button is up'


def press_slider(fig, slider):
    "By key: the picture, the number and the sentence follow"
    before, param = state(fig), slider.get_attribute('data-param')
    slider.press('ArrowLeft')
    after = state(fig)
    assert after[0] != before[0] and after[1] != before[1], param
    assert fig.locator(f'output[data-of={param}]').inner_text() == slider.input_value()


def touch_handle(page, fig, param):
    "By a finger, as Chromium reports one"
    before, (x, y) = state(fig), center(fig, param)
    send = page.context.new_cdp_session(page).send
    for kind, at in ('touchStart', x), *(('touchMove', x - 6 * i) for i in range(1, 9)), ('touchEnd', None):
        points = [] if at is None else [dict(x=at, y=y)]
        send('Input.dispatchTouchEvent', dict(type=kind, touchPoints=points))
    after = state(fig)
    assert after[0] != before[0] and after[1] != before[1], f'{param} does not follow a finger'


def handles(fig):
    return fig.locator('circle.grip').evaluate_all('o => o.map(x => x.dataset.param)')


def drag(page, move=drag_handle, shots=None):
    "Move all handles and sliders of a page, and keep pictures of its figures in the folder `shots`: how many moved"
    moved = 0
    for fig in page.locator('.hyperbolic-figure').all():
        fig.scroll_into_view_if_needed()
        for param in handles(fig):
            move(page, fig, param)
        for slider in fig.locator('input').all():
            press_slider(fig, slider)
        moved += len(handles(fig)) + fig.locator('input').count()
        if shots:
            width, kind = page.viewport_size['width'], fig.get_attribute('data-figure')
            fig.screenshot(path=Path(shots, f'{Path(page.url).stem}-{kind}-{width}.png'))
    return moved


def drag_on_screen_and_phone(browser, address):
    "How many handles and sliders of a page moved by mouse and key, and by finger and key"
    screen = browser.new_context(viewport=dict(width=1000, height=900))
    phone = browser.new_context(viewport=dict(width=390, height=900), has_touch=True, is_mobile=True)
    moved = 0
    for context, move in (screen, drag_handle), (phone, touch_handle):
        page = context.new_page()
        page.goto(address)
        moved += drag(page, move, os.environ.get('SHOTS'))
        context.close()
    return moved


if __name__ == '__main__':
    found = {}
    with tempfile.TemporaryDirectory() as d, sync_playwright() as p:
        folder = Path(d)
        shutil.copytree(pages.root / 'nbs/images', folder / 'images')
        shutil.copy(pages.root / 'nbs/styles.css', folder)
        (folder / 'template.html').write_text(template.replace('STYLES', str(folder / 'styles.css')))
        browser = p.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
        for name, nb in pages.staged().items():
            name = name.removesuffix('.ipynb')
            convert(name, nb, folder)
            page = browser.new_page()
            formulas, found[name] = look(page, d, name, nb)
            page.close()
            print(f'{name}: {formulas} formulas', *found[name], sep='\n  ', flush=True)
            if any('hyperbolic-figure' in o for o in pages.outputs(nb, 'text/html')):
                moved = drag_on_screen_and_phone(browser, f'file://{d}/{name}.html')
                print(f'  {moved} handles and sliders moved')
        browser.close()
    sys.exit(any(found.values()))
