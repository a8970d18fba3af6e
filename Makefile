# Everything starts from a bare machine with git, make and python3: contrib/bootstrap.sh sets up what is missing.

PYTHON ?= python3
BIN := .venv/bin
export PYTHON

.PHONY: help demo test nightly bench lint docs lock audit release setup clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

demo: setup  ## the main job on the embedded lab: from a site file to healthy multipath
	$(BIN)/mpio lab demo

test: setup  ## all tests, guests included, in their short forms
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

nightly: setup  ## all tests, the long forms too
	$(BIN)/python -m pytest -n 2 --dist worksteal --nightly $(ARGS)

bench: setup  ## mpio against a script and os-brick, and a lost link, for docs/benchmarks.md: on an idle machine
	$(BIN)/python contrib/bench/connect --write docs/benchmarks.md $(ARGS)
	$(BIN)/python contrib/bench/failover --write docs/benchmarks.md

lint: setup  ## the tests of the house alone: style, types, spelling, shell, layers, fresh pages
	$(BIN)/python -m pytest tests/test_house.py $(ARGS)

docs: setup  ## write the generated pages again
	$(BIN)/python tests/pages.py

lock:  ## resolve the dependencies anew into requirements.lock
	contrib/bootstrap.sh lock

audit: setup  ## ask a vulnerability service about everything in the lock
	contrib/release/audit.sh $(ARGS)

release: setup  ## wheel, source archive and SBOM in dist/, from a lock that is what pyproject.toml asks for
	contrib/bootstrap.sh locked
	contrib/release/build.sh

setup:  ## programs and .venv, without running anything
	@contrib/bootstrap.sh programs venv

clean:  ## remove what was built here; the lab's images stay in the user's cache
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
