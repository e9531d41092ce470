# Everything sets itself up in .venv; PYTHON chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: rehearse test lint bench docs clean

rehearse: $(VENV)/.installed
	$(BIN)/runbook rehearse plans/contoso-split.yaml --report rehearsal-report.html

test: $(VENV)/.developing
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.developing
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) dist rehearsal-report.html

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[rehearsal]'
	touch $@

$(VENV)/.developing: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[rehearsal,keyring,fast]' --group dev
	touch $@
