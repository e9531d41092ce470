# Each target sets up .venv first where it needs it; PYTHON chooses the interpreter (3.11 or later).
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: rehearse test lint mutants bench build clean

rehearse: $(VENV)/.installed
	$(BIN)/runbook rehearse plans/contoso-split.yaml --report rehearsal-report.html

test: $(VENV)/.developing
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutants: $(VENV)/.developing
	$(BIN)/python -m tests.mutants

bench: $(VENV)/.developing
	$(PIP) install --quiet --group bench
	$(BIN)/python -m benchmarks

screenshots: $(VENV)/.developing
	$(BIN)/python -m benchmarks.screenshots

browser-tools:
	npm install --no-save --no-package-lock --no-audit --no-fund axe-core@4 vnu-jar@26

build: $(VENV)/.developing
	$(BIN)/python -m build

clean:
	$(PYTHON) -c "import pathlib, shutil; [shutil.rmtree(p, True) for p in ('$(VENV)', 'dist')]; pathlib.Path('rehearsal-report.html').unlink(missing_ok=True)"

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'runbook needs Python 3.11 or later, this is %s: make PYTHON=python3.12' % sys.version.split()[0])"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	$(PIP) install --quiet --editable '.[rehearsal]'
	@$(BIN)/python -c "import pathlib; pathlib.Path('$@').touch()"

$(VENV)/.developing: $(VENV)/.installed
	$(PIP) install --quiet --editable '.[rehearsal,keyring]' --group dev
	@$(BIN)/python -c "import pathlib; pathlib.Path('$@').touch()"
