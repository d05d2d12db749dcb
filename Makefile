# Every target sets up what it needs. `make help` lists them.
.PHONY: help setup demo test check explore soak lint bench docs lock changelog clean
# Tests and benchmarks start hundreds of processes, which are to read our modules compiled, as an operator's do.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
BIN := .venv/bin

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## make .venv with the locked packages
	@PYTHON=$(PYTHON) sh scripts/setup.sh

demo: setup ## command, look, undo, plan and apply on real hosts, and show it
	@PYTHON=$(PYTHON) sh scripts/setup.sh peers
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/demo.py

test: setup ## the whole suite, on real peers where this machine can have them
	@PYTHON=$(PYTHON) sh scripts/setup.sh peers
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --ignore tests/soak

check: setup ## the fast core of the suite, under a minute
	$(BIN)/python -m pytest -n 2 -m "not lab and not slow and not crash" --ignore tests/soak

explore: setup ## the laws once more, on new random examples
	EXAMPLES=explore $(BIN)/python -m pytest -n 2 -k "law or odd or lived or bytes" -m "not lab"
	UNASKED=30 $(BIN)/python -m pytest -n 2 tests/lasercats/unasked

soak: setup ## a storm of 300 kills over all peers, and a crowd of 8 at one log; SEED=n repeats one; an hour
	@PYTHON=$(PYTHON) sh scripts/setup.sh peers
	SOAK=300 STORM_SEED=$(or $(SEED),0) CROWD=5000 $(BIN)/python -m pytest -rP tests/soak

lint: setup ## format, style, types, layers, and that the docs are up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/reference.py --check

bench: setup ## side by side with what else one would use
	@PYTHON=$(PYTHON) sh scripts/setup.sh peers bench
	$(BIN)/python -m benchmarks

docs: setup ## write the reference from the code
	$(BIN)/python scripts/reference.py

lock: setup ## resolve the packages anew; needs uv
	sh scripts/lock.sh

changelog: setup ## show the changes since the last release
	$(BIN)/towncrier build --draft

clean: ## remove what was set up
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
