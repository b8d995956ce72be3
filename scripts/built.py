"""What `make docs` checks of the site that Quarto has built in _docs: every page, with the site's configuration."""

import sys

import pages

site, missing = pages.root / '_docs', []
for name, page in pages.addresses().items():
    if not (site / page).is_file():
        missing.append(f'{name}: no {page}')
        continue
    if not (site / f'{page}.md').is_file():
        missing.append(f'{name}: no {page}.md')  # the page as Markdown
    text, wanted = (site / page).read_text(), ['styles.css', 'og:image', 'rel="canonical"']
    if page == 'index.html':
        wanted.append('id="TOC"')
    if page == 'api/protocol.html':
        wanted.append('href="#protocol.run"')  # in "On this page"
    missing += [f'{page}: no {o}' for o in wanted if o not in text]
if missing:
    sys.exit('The site is not whole:\n' + '\n'.join(missing))
print(f'{len(pages.addresses())} pages in {site}')
