# `make` alone says what there is. Everything is installed into .venv, at the versions of constraints.txt, from
# wherever your pip is set up to install from. A CUDA machine without need for CUDA can point pip at PyTorch's CPU
# wheels (PIP_EXTRA_INDEX_URL); the pin `torch==2.13.0` takes those as well.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq -c constraints.txt
# A stamp is younger than what was installed by it; the files it depends on make it old.
BASE := .venv/.installed-base
TEST := .venv/.installed-test

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo dev test test-fast test-slow lint lock peers-env clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(BASE) ## run everything once on this machine, live; ARGS="--seconds 5" passes options
	@$(BIN)/cellgate demo $(ARGS)

dev: $(TEST) ## install what tests and training need (PyTorch too)

test: lint ## lint, types, import contracts, then every test but the slow ones
	$(BIN)/pytest $(ARGS)

test-fast: $(TEST) ## pytest alone; ARGS="-k wire" passes options
	$(BIN)/pytest $(ARGS)

test-slow: $(TEST) ## the slow tests alone
	$(BIN)/pytest -m slow $(ARGS)

lint: $(TEST) ## ruff, mypy, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## choose versions anew within pyproject.toml and rewrite constraints.txt
	@$(MAKE) --no-print-directory .check-python
	@rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	@echo "choosing versions anew, in .venv-lock …"
	@.venv-lock/bin/python -m pip --disable-pip-version-check install -qq -e '.[test,train,bench,files,results,classical,explore,onnxruntime,plot,flowkit]'
	@{ grep '^#' constraints.txt; .venv-lock/bin/python -m pip --disable-pip-version-check freeze --all \
		--exclude-editable --exclude pip --exclude wheel | sed 's/+.*//' | tr 'A-Z_' 'a-z-' | LC_ALL=C sort; } > constraints.new
	@mv constraints.new constraints.txt && rm -rf .venv-lock
	@echo "constraints.txt is rewritten; now: make test"

peers-env: $(BASE) ## install the servers that `cellgate bench peers` measures, into .venv-peers (900 MB)
	@$(BIN)/cellgate bench peers-env .venv-peers

clean: ## remove the environment, caches and builds (not runs/)
	rm -rf .venv .venv-lock .venv-peers build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find bench docs engines streamer tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BASE): pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing Cellgate into .venv (without PyTorch) …"
	@$(PIP) -e .
	@touch $@

$(TEST): $(BASE)
	@echo "installing what tests and training need into .venv (PyTorch: a few minutes) …"
	@$(PIP) -e '.[test,train]'
	@touch $@

.venv/bin/python:
	@$(MAKE) --no-print-directory .check-python
	@echo "making .venv with $(PYTHON) …"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "the Python module venv does not work here; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

.PHONY: .check-python
.check-python:
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Cellgate needs Python 3.11 or later; found: $$($(or $(PYTHON),python3) --version 2>&1). Name one: make PYTHON=/path/to/python3.12"; \
		exit 1; }
