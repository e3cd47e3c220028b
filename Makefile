# Every target sets up what it needs; only Python 3.11 or later and make are taken for granted.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := $(VENV)/.peers

.PHONY: setup demo test check bench constraints clean

setup: $(STAMP)

# The constraints pin every version; the lower bounds in pyproject.toml say what is needed at least.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "offscript needs Python 3.11 or later: set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q 'pip>=25.1'
	$(BIN)/python -m pip install -q -c constraints.txt -e . --group dev
	touch $@

demo: setup
	$(BIN)/offscript demo

test: setup
	$(BIN)/python -m pytest -n auto

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Parsers, ours and others, then the path to a verdict: ten minutes or so, and only ratios within a table mean much.
bench: $(PEERS)
	$(BIN)/python -m benchmarks.parse
	$(BIN)/python -m benchmarks.detect

$(PEERS): $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[peers]'
	touch $@

# Run by a maintainer when dependencies are moved on.
constraints:
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install -q 'pip>=25.1'
	build/constraints/bin/python -m pip install -q -e '.[peers,plots,baselines]' --group dev
	build/constraints/bin/python -m pip freeze --exclude-editable --exclude offscript > constraints.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
