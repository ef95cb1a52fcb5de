# The verbs of the project. Each works from a fresh clone: the virtual environment is made when there is none,
# and brought up to date when pyproject.toml changed. CI calls the same verbs (.ci/run).
#
#   PYTHON   the interpreter to make .venv with (default: the first one that is 3.11 or newer)
#   WORKERS  how many test processes run side by side (default 2)
#   ARGS     more arguments for the verb's main command: make test ARGS="tests/core -k retry"

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?=
WORKERS ?= 2
ARGS ?=

BIN := .venv/bin
READY := .venv/.installed
# What the verbs check beyond src/; folders that are not there yet are left out.
TYPING := $(wildcard tests/typing)
DOC_TESTS := $(wildcard tests/test_docs.py tests/docs)

.PHONY: help setup demo fmt check test bench docs

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make or update .venv, with everything needed to work on the project
	@echo "ready: $$($(BIN)/python --version) in .venv"

demo: $(READY) ## index the standard library in a workflow that is killed twice, and prove the result
	$(BIN)/aion demo $(ARGS)

fmt: $(READY) ## format the code and fix what can be fixed by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Every part runs, also after one has failed: one call shows all there is to mend.
check: $(READY) ## everything but the tests: format, lint, types, layers, house rules, fragment, links
	@failed=0; run() { echo "· $$*"; "$$@" || failed=1; }; \
	run $(BIN)/ruff format --check .; \
	run $(BIN)/ruff check .; \
	run $(BIN)/mypy; \
	$(if $(TYPING),run $(BIN)/pyright --project pyproject.toml;) \
	run $(BIN)/lint-imports --no-logo; \
	run $(BIN)/python -m pytest -q -p no:cacheprovider tests/test_tidy.py tests/test_ports.py tests/test_mirror.py; \
	run $(BIN)/python -m tools.check_fragment; \
	run $(BIN)/python -m tools.check_docs; \
	if [ $$failed = 1 ]; then echo "make check: not clean, see above"; exit 1; fi

test: $(READY) ## all tests, those with real processes included
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

bench: $(READY) ## the benchmarks, side by side with their limits and peers (minutes; wants a quiet machine)
	$(BIN)/python -m benchmarks.run $(ARGS)

docs: $(READY) ## check the pages: links lead somewhere, and every Python block runs
	$(BIN)/python -m tools.check_docs
	$(if $(DOC_TESTS),$(BIN)/python -m pytest -q $(DOC_TESTS))

$(READY): pyproject.toml tools/make_venv.sh
	@PYTHON="$(PYTHON)" bash tools/make_venv.sh
	@touch $@
