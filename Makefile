# Two commands do everything:  make demo  and  make test.  Each sets up what it needs in .venv, once.
PYTHON ?= python3
BIN    := .venv/bin

.PHONY: help demo test test-all test-interop lint mutants soak fuzz format clean

help:           ## list these commands
	@grep -E '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/demo.stamp  ## train a network on the built-in letters (about a minute) and write figures to runs/
	$(BIN)/minisiam train

test: .venv/test.stamp  ## run the tests, without the long repetitions
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m 'not slow and not interop'  # one process per core, so one BLAS thread each

test-all: .venv/test.stamp  ## run the long repetitions: the tests that are marked slow
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m 'slow and not interop'

test-interop: .venv/interop.stamp  ## test the bridges against scikit-learn, PyTorch, JAX and onnxruntime, and run the recipes
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto tests/interop

lint: .venv/test.stamp  ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

mutants: .venv/test.stamp  ## change the source of every op, one token at a time, and check that a test fails each time
	$(BIN)/python tools/mutants.py

soak: .venv/test.stamp  ## call every op on a million extreme inputs; run it again to continue
	$(BIN)/python tools/soak.py

fuzz: .venv/test.stamp  ## read 100,000 damaged data files: each must load or raise DamagedFile
	$(BIN)/python tools/fuzz.py

format: .venv/test.stamp  ## format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:          ## remove the environment and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "minisiam needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

# demo installs what the README uses: figures, the gradient check and threads;
# pip compiles the packages that it copies, but not one that is installed as editable: compileall does
.venv/demo.stamp: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[figures,check,threads]'
	$(BIN)/python -m compileall -q minisiam
	@touch $@

.venv/test.stamp: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[figures,check,threads,data,safetensors,benchmark,completion]' --group dev
	$(BIN)/python -m compileall -q minisiam
	@touch $@

.venv/interop.stamp: .venv/test.stamp
	$(BIN)/python -m pip install --quiet -e '.[interop-sklearn,interop-torch,interop-jax,interop-onnx]' --group interop
	@touch $@
