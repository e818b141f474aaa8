# The contract of every target is in docs/development.md. Nothing but Python >= 3.11, its venv module and a package
# index is needed; .venv is made once and again only when the lock changes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test test-conformance test-crash soak check bench clean lock format

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help:
	@echo "make run     console on the sandbox cluster (without a terminal: one rehearsal)"
	@echo "make test    the default test suite"
	@echo "make test-conformance  what Lazarus needs of Kubernetes, on the sandbox or LAZARUS_CONFORMANCE_KUBECONFIG"
	@echo "make test-crash  restores of StatefulSets cut at every await; the last line is a JSON object of counts"
	@echo "make soak    a hundred proofs in a row and ten at once: nothing stays, nothing grows; the last line is JSON"
	@echo "make check   lint, format, types and import contracts; writes nothing"
	@echo "make bench   figures, side by side with a peer or a floor"
	@echo "make clean   this clone's .venv, caches, sandbox and engine"

$(STAMP): requirements.lock pyproject.toml .ci/venv
	@sh .ci/venv $(VENV)
	@touch $(STAMP)

run: $(STAMP)
	@if [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/lazarus --sandbox; else exec $(BIN)/lazarus rehearse; fi

test: $(STAMP)
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal

# The cluster is named by LAZARUS_CONFORMANCE_KUBECONFIG, never by an exported KUBECONFIG; one that is not on this
# machine needs CONFIRM=<context>.
test-conformance: $(STAMP)
	@env -u KUBECONFIG CONFIRM="$(CONFIRM)" $(BIN)/python -m pytest -q tests/conformance

# Every await of every operation on a StatefulSet is cut, and three kinds of engine go on; two engines at once, troubled
# writes, schedules and planted bugs with it. QUICK=1 takes every 40th.
test-crash: $(STAMP)
	@$(BIN)/python -m tests.crash

# N=100 proofs in a row, ten at once, on a sandbox of its own; QUICK=1 is a few of them in one process.
soak: $(STAMP)
	@$(BIN)/python -m tests.prove.soak

check: $(STAMP)
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --no-cache --check .
	@$(BIN)/mypy --cache-dir=/dev/null
	@$(BIN)/lint-imports --no-cache

bench: $(STAMP)
	@$(BIN)/python -m bench

format: $(STAMP)
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

# Needs uv; run it to move the locked versions.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --upgrade -o requirements.lock

clean:
	@if [ -x $(BIN)/lazarus ]; then $(BIN)/lazarus --sandbox engine stop --park >/dev/null 2>&1; \
	  $(BIN)/lazarus sandbox down >/dev/null 2>&1; fi; true
	@rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
