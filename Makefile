# Two commands do everything:  make demo  and  make test.  Each sets up what it needs in .venv, once.
PYTHON ?= python3
BIN    := .venv/bin
OLD    := .venv-oldest/bin
EXTRAS := figures,check,threads,data,safetensors,benchmark,completion
TESTS  ?= tests minisiam   # what `make test-oldest` tests
# the package as a user installs it, in an environment that uv makes for one command
ALONE  := $(BIN)/uv run --quiet --isolated --no-project --refresh-package minisiam --with .

.PHONY: help demo test test-all test-interop test-mpi test-oldest test-numpy site site-serve site-test lint mutants soak fuzz format clean

help:           ## list these commands
	@grep -E '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/demo.stamp  ## train a network on the built-in letters (about a minute) and write figures to runs/
	$(BIN)/minisiam train

test: .venv/test.stamp  ## run the tests, without the long repetitions
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m 'not slow and not interop and not mpi'  # one process per core, so one BLAS thread each

test-all: .venv/test.stamp  ## run the long repetitions: the tests that are marked slow
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m 'slow and not interop and not mpi'

test-interop: .venv/interop.stamp  ## test the bridges against scikit-learn, PyTorch, JAX and onnxruntime, and run the recipes
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto tests/interop

test-mpi: .venv/mpi.stamp  ## test several processes under mpiexec, which this installs
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m mpi tests/distributed -rs

test-oldest: .venv-oldest/test.stamp  ## run the tests with Python 3.11 and the oldest versions that pyproject.toml allows
	OPENBLAS_NUM_THREADS=1 $(OLD)/python -m pytest -n auto -m 'not slow and not interop and not mpi' $(TESTS)

test-numpy: .venv/uv.stamp  ## train one step with NumPy alone, its oldest version and its newest
	$(ALONE) --python 3.11 --resolution lowest-direct python tools/numpy_alone.py
	$(ALONE) --python $(BIN)/python --resolution highest python tools/numpy_alone.py

site: .venv/site.stamp  ## build the site into build/site/: the docs, the course, and Python that runs in the pages
	$(BIN)/python web/vendor.py
	$(BIN)/python web/build.py

site-serve: site  ## build the site, and serve it on this computer
	$(BIN)/python web/serve.py

site-test: site .venv/test.stamp  ## test the site: in Chromium, and all lessons and exercises in WebAssembly
	web/chromium.sh
	$(BIN)/python -m pytest -p no:cacheprovider web/test
	node web/test/wasm_exercises.mjs
	node web/test/wasm_lessons.mjs
	node web/test/wasm_play.mjs

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

clean:          ## remove the environments and all caches
	rm -rf .venv .venv-oldest .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build

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
	$(BIN)/python -m pip install --quiet -e '.[$(EXTRAS)]' --group dev
	$(BIN)/python -m compileall -q minisiam
	@touch $@

.venv/site.stamp: $(BIN)/python pyproject.toml
	@command -v npm >/dev/null || { echo "make site needs Node.js and npm, to download and bundle the scripts of the pages"; exit 1; }
	$(BIN)/python -m pip install --quiet -e '.[figures,check,threads,data]' --group site
	@touch $@

.venv/interop.stamp: .venv/test.stamp
	$(BIN)/python -m pip install --quiet -e '.[interop-sklearn,interop-torch,interop-jax,interop-onnx]' --group interop
	@touch $@

.venv/mpi.stamp: .venv/test.stamp
	$(BIN)/python -m pip install --quiet -e '.[mpi]'
	@touch $@

.venv/uv.stamp: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --group oldest
	@touch $@

# matplotlib 3.9 uses names that pyparsing 3.3 deprecates; in the tests a warning is an error
.venv-oldest/test.stamp: .venv/uv.stamp pyproject.toml
	$(BIN)/uv venv --quiet --clear --python 3.11 .venv-oldest
	$(BIN)/uv pip install --quiet --python $(OLD)/python --resolution lowest-direct -e '.[$(EXTRAS)]' --group dev 'pyparsing==3.2.*'
	@touch $@
