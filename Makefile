# The two commands: make notebooks, make test. Everything runs in .venv, which they make.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2
# One thread each: threads of several processes that wait for each other on the same cores spin.
SIDE_BY_SIDE := -n $(WORKERS) --dist worksteal
# The longest notebooks first, each to whichever worker is free: none is left with one at the end.
LONG := $(foreach number,04 11 16 12 05,$(wildcard notebooks/$(number)_*.ipynb))
NOTEBOOKS := $(LONG) $(filter-out $(LONG),$(wildcard notebooks/*.ipynb))
ONE_BY_ONE := -n $(WORKERS) --dist load --maxschedchunk 1

.PHONY: notebooks site pages check-site lab test claims check-claims test-tl4 other-runs stress bench figures clean

notebooks site: .venv/ready  ## execute every notebook and write build/site/index.html
	$(BIN)/python -m tools.site

pages: .venv/ready  ## build the site again from the notebooks as they were executed last
	$(BIN)/python -m tools.site --pages

check-site: .venv/ready  ## open every page of build/site in Chromium: figures, errors, requests, links, width
	$(BIN)/python -m pytest tests/test_site.py --site build/site

lab: .venv/ready  ## open JupyterLab
	$(BIN)/jupyter lab notebooks

test: export OMP_NUM_THREADS = 1
test: .venv/ready  ## ruff, the tests, and every notebook with shortened training, by two workers side by side
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)
	INTERP_FAST=1 $(BIN)/python -m pytest $(ONE_BY_ONE) --nbmake --nbmake-timeout=600 $(NOTEBOOKS)

# glibc gives a large tensor's memory back at once, and the kernel clears it again for the next one.
# Not for `bench`, which measures what users have.
test notebooks site claims check-claims other-runs: export MALLOC_MMAP_THRESHOLD_ = 1073741824
test notebooks site claims check-claims other-runs: export MALLOC_TRIM_THRESHOLD_ = 1073741824

claims: .venv/ready  ## measure every shipped run again, and write docs/claims.md
	$(BIN)/interp-utils claims

check-claims: .venv/ready  ## whether `make claims` would change more than rounding does
	$(BIN)/interp-utils claims --check

test-tl4: export OMP_NUM_THREADS = 1
test-tl4: .venv-tl4/ready  ## the tests on transformer_lens 4, which has TransformerBridge instead of HookedTransformer
	.venv-tl4/bin/python -m pytest $(SIDE_BY_SIDE)

other-runs: export OMP_NUM_THREADS = 1
other-runs: .venv/ready  ## 06 and 08 to 11 on other runs than they are written about
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/test_notebooks.py --other-runs

stress: .venv/ready  ## kill trainings 200 times at random moments: none may be lost
	$(BIN)/python -m pytest tests/test_crashes.py -k kill_9 --kills 200

bench: .venv/ready  ## what training and measuring cost on this machine: tables, and build/benchmarks.json
	$(BIN)/python -m benchmarks

figures: .venv/ready  ## the README's pictures (needs Chrome or Chromium)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[figures]'
	$(BIN)/python tools/make_figures.py

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; say which with PYTHON=..."'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# The package asks for transformer_lens 3; 4.3 works too, and takes its place last.
.venv-tl4/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-tl4
	.venv-tl4/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	.venv-tl4/bin/python -m pip install --quiet --disable-pip-version-check --no-deps 'transformer-lens>=4.3,<5'
	touch $@

clean:  ## everything but trained runs
	rm -rf .venv .venv-tl4 build .pytest_cache .ruff_cache .hypothesis
