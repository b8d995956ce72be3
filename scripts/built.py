"""What `make docs` checks when Quarto has built the site in _docs: every page is there, with the site's configuration."""
import sys

from nbdev.config import nbpath2html

import pages

site = pages.root/'_docs'
html = {name: nbpath2html(name).name for name in pages.sources()} | {'changelog.qmd': 'changelog.html'}
missing = [f'{name}: no {o}' for name,o in html.items() if not (site/o).is_file()]
for name,page in html.items():
    text = (site/page).read_text() if (site/page).is_file() else ''
    wanted = ['styles.css', 'og:image', 'rel="canonical"'] + ['id="TOC"']*(name=='index.ipynb')
    if page=='protocol.html': wanted.append('href="#protocol.run"') # in "On this page"
    missing += [f'{page}: no {o}' for o in wanted if text and o not in text]
if missing: sys.exit('The site is not whole:\n' + '\n'.join(missing))
print(f'{len(html)} pages in {site}')
