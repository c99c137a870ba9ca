# `make toy` and `make test` set up what is missing by themselves; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= 2
RUN := $(BIN)/snakemake --profile profiles/ci --cores $(CORES)
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup toy test lint dry-runs pytest retry reference lock-code lock clean-toy

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## Make .venv and install everything pinned

$(VENV)/.ready: envs/requirements.lock envs/requirements-torch.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement envs/requirements-torch.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement envs/requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

toy: setup ## Run the whole toy: from recordings to results/toy/report.html and dist/toy.tar.gz
	$(RUN)
	@echo "Open results/toy/report.html; dist/toy.tar.gz is what one hands over."

test: lint dry-runs pytest ## Everything CI checks: lint, dry run of every configuration, the tests with a small whole run

lint: setup ## ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

dry-runs: setup ## Plan every shipped configuration
	@for config in $$(grep -l '^system:' config/*.yaml); do \
		echo "dry run of $$config"; \
		$(BIN)/snakemake --dry-run --quiet all --cores 1 --configfile $$config || exit 1; \
	done

pytest: setup ## The tests
	$(BIN)/python -m pytest

retry: setup ## Try items again that failed
	$(BIN)/python -m workflow_scripts.retry_failed
	$(RUN)

reference: setup ## Write config/schema.json and docs/configuration.md anew
	$(BIN)/python -m kaiku.reference

lock-code: setup ## Write code.lock anew after computing code changed: a new version for each changed module
	$(BIN)/python -m workflow_scripts.lock_code

lock: setup ## Resolve envs/requirements.in to hashed pins (needs uv)
	uv pip compile --generate-hashes --no-emit-package torch --no-annotate --no-header --no-emit-index-url \
		--no-emit-find-links --constraint envs/requirements-torch.txt envs/requirements.in --output-file envs/requirements.lock

clean-toy: ## Remove what the toy made, its working state too
	rm -rf data/segments data/transcripts data/measures data/tokens data/selection data/protos models/codecs/toy \
		models/toy models/toy-base results/toy results/toy-base dist/toy.tar.gz logs work .snakemake
