# Two commands do everything:  make demo  and  make test.  Each sets up what it needs in .venv, once.
PYTHON ?= python3
BIN    := .venv/bin

.PHONY: help demo test lint mutants soak fuzz format clean

help:           ## what there is
	@grep -E '^[a-z]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/demo.stamp  ## train a network on the built-in pen glyphs (about a minute), write figures to runs/
	$(BIN)/minisiam train

test: .venv/test.stamp  ## run the tests
	$(BIN)/python -m pytest -n auto

lint: .venv/test.stamp  ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

mutants: .venv/test.stamp  ## change every op's source in every way and see whether the tests notice
	$(BIN)/python tools/mutants.py

soak: .venv/test.stamp  ## a million wild inputs: no NaN, no infinity, no warning; goes on where it was stopped
	$(BIN)/python tools/soak.py

fuzz: .venv/test.stamp  ## a hundred thousand damaged and hostile data files: an error that says so, or the data
	$(BIN)/python tools/fuzz.py

format: .venv/test.stamp  ## let ruff format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:          ## remove the environment and everything that was made in it
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "minisiam needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

.venv/demo.stamp: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[figures]'
	@touch $@

.venv/test.stamp: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[figures,check,threads,data,safetensors,benchmark]' --group dev
	@touch $@
