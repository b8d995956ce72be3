"""Look at every page in a real browser: staged as for Quarto, converted by nbconvert.

pip install playwright, and a Chromium (Debian: apt install chromium). On each page all formulas are set, all pictures load, no script fails, and at a
phone's width nothing sticks out. Then the figures to drag are dragged. MATHJAX names another place to load MathJax 2 from, for use without a network.
"""
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from nbconvert import HTMLExporter
from playwright.sync_api import sync_playwright

import pages

mathjax = os.environ.get('MATHJAX', 'https://cdn.jsdelivr.net/npm/mathjax@2.7.9/MathJax.js')
chromium = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
css = (pages.root/'nbs/styles.css').read_text()


def html(nb):
    "The page without its front matter and hidden sources, with the site's style sheet"
    for c in nb.cells:
        c.metadata.pop('execution', None)
        if c.cell_type=='code' and '#| echo: false' in c.source: c.metadata.transient = {'remove_source': True}
    body,_ = HTMLExporter(exclude_raw=True, exclude_input_prompt=True, exclude_output_prompt=True, mathjax_url=mathjax+'?config=TeX-AMS_CHTML-full,Safe').from_notebook_node(nb)
    return body.replace('</head>', f'<style>{css}</style></head>')


def look(page, folder, name):
    "What is wrong with a page at the width of a screen and of a phone"
    errors,wrong = [],[]
    page.on('pageerror', lambda e: errors.append(str(e)))
    page.set_viewport_size(dict(width=1000, height=900))
    page.goto(f'file://{folder}/{name}.html')
    page.wait_for_function('window.MathJax && MathJax.Hub && MathJax.Hub.queue && !MathJax.Hub.queue.running && !MathJax.Hub.queue.pending', timeout=60_000)
    page.wait_for_timeout(300)
    formulas = page.evaluate('MathJax.Hub.getAllJax().length')
    wrong += page.eval_on_selector_all('.MathJax_Error, .mjx-merror, .merror', 'o => o.map(x => "formula: " + x.textContent)')
    text = page.evaluate('[...document.querySelectorAll(".jp-RenderedMarkdown p, .jp-RenderedMarkdown li")].map(o => { const c = o.cloneNode(true); c.querySelectorAll("code, script, .MathJax_Preview, [class^=mjx], [class^=MathJax]").forEach(x => x.remove()); return c.textContent }).join("\\n")')
    wrong += [f'left over: {o}' for o in re.findall(r'.*(?:\$\$|\\tag|\\frac|^#\|).*', text)]
    wrong += page.eval_on_selector_all('img', 'o => o.filter(x => !x.naturalWidth && !x.src.startsWith("http")).map(x => "picture: " + x.src)')
    page.set_viewport_size(dict(width=390, height=800))
    page.wait_for_timeout(200)
    width = page.evaluate('document.documentElement.scrollWidth')
    if width>390: wrong.append(f'on a phone the page is {width} pixels wide')
    return formulas,wrong+errors


def drag(page, folder):
    "Drag every handle by mouse and move every slider by key: the picture, the numbers and the sentence follow"
    page.set_viewport_size(dict(width=1000, height=900))
    page.goto(f'file://{folder}/19_epoch_sensitivity.html')
    moved = 0
    for kind in 'budgets','hyperbola','distance','extend':
        fig = page.locator(f'.hyperbolic-figure[data-figure={kind}]')
        fig.scroll_into_view_if_needed()
        state = lambda: (fig.locator('.says').inner_text(), fig.locator('.picture').inner_html())
        for param in fig.locator('circle.grip').evaluate_all('o => o.map(x => x.dataset.param)'):
            before,box = state(),fig.locator(f'circle.grip[data-param={param}]').bounding_box()
            x,y = box['x']+box['width']/2,box['y']+box['height']/2
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x-60, y, steps=8)
            page.mouse.up()
            after = state()
            assert after[0]!=before[0] and after[1]!=before[1], (kind, param)
            page.mouse.move(x, y, steps=3)
            assert state()==after, f'{kind}: {param} still follows after the mouse button is up'
            moved += 1
        for slider in fig.locator('input').all():
            before = state()
            slider.press('ArrowLeft')
            after = state()
            assert after[0]!=before[0] and after[1]!=before[1], (kind, slider.get_attribute('data-param'))
            assert fig.locator(f'output[data-of={slider.get_attribute("data-param")}]').inner_text()==slider.input_value()
            moved += 1
    return moved


if __name__=='__main__':
    found = {}
    with tempfile.TemporaryDirectory() as d, sync_playwright() as p:
        shutil.copytree(pages.root/'nbs/images', f'{d}/images')
        browser = p.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
        for name,nb in pages.staged().items():
            name = name.removesuffix('.ipynb')
            Path(d, f'{name}.html').write_text(html(nb))
            page = browser.new_page()
            formulas,found[name] = look(page, d, name)
            page.close()
            print(f'{name}: {formulas} formulas', *found[name], sep='\n  ', flush=True)
        print(f'figures: {drag(browser.new_page(), d)} handles and sliders moved')
        browser.close()
    sys.exit(any(found.values()))
