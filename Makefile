# make demo    train the digits under four schedules and compare them
# make test    run every notebook and check that the tree is in order
# Both set up .venv first, once. Another Python: make test PYTHON=python3.12
PYTHON ?= python3
bin = .venv/bin

.PHONY: env demo test readme docs
env:
	@bash scripts/setup.sh "$(PYTHON)"
demo: env
	@$(bin)/python examples/digits.py
test: env
	@$(bin)/python scripts/check.py
readme: env
	@$(bin)/python scripts/readme.py
docs: env
	@command -v quarto >/dev/null || { echo "make docs needs Quarto: https://quarto.org"; exit 1; }
	@. $(bin)/activate && nbdev-docs && python scripts/built.py
