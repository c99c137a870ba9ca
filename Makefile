# `make toy` and `make test` set up what is missing by themselves; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= 2
RUN := $(BIN)/snakemake --profile profiles/ci --cores $(CORES)
export OMP_NUM_THREADS ?= 1

# A value as the shell takes it, whatever is in it; an option that has one; each word of a list; the configuration.
quoted = $(subst ','\'',$(1))
option = $(if $($(2)),--$(1)='$(call quoted,$($(2)))')
each = $(foreach one,$(1),'$(call quoted,$(one))')
configfile = $(if $(CONFIG),--configfile='$(call quoted,$(CONFIG:~/%=$(HOME)/%))')

.DEFAULT_GOAL := help
.PHONY: help setup toy test lint dry-runs pytest plan explain review stop retry reference accept oldest slurm lock-code lock snapshot merge-locks disk runs clean-work reshard clean-toy survey heard new check catalog collect

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## Make .venv and install everything pinned

$(VENV)/.ready: envs/requirements.lock envs/requirements-torch.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement envs/requirements-torch.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement envs/requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@! git rev-parse --git-dir >/dev/null 2>&1 || $(BIN)/python -m workflow_scripts.merge_locks --install
	touch $@

new: setup ## Make a workspace for recordings (NAME=aino DATA=/folder [LANGUAGE=fi BASE=/checkpoint SPEAKER= LICENCE= LAYOUT= WHERE=../aino])
	@$(BIN)/python -m workflow_scripts.new_workspace --name='$(call quoted,$(NAME))' --data='$(call quoted,$(DATA))' \
		$(call option,language,LANGUAGE) $(call option,base,BASE) $(call option,speaker,SPEAKER) \
		$(call option,licence,LICENCE) $(call option,base-licence,BASE_LICENCE) $(call option,layout,LAYOUT) \
		$(call option,where,WHERE)

check: setup ## Say whether this machine is up to it, and what to do where not [WORKSPACE=../aino BASE=/checkpoint OFFLINE=yes JSON=yes]
	@$(BIN)/python -m workflow_scripts.check_machine $(call option,workspace,WORKSPACE) $(call option,base,BASE) \
		$(if $(OFFLINE),--offline) $(if $(JSON),--json)

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
	$(BIN)/python -m pytest --numprocesses $(CORES)

stop: ## End the run that works here; its jobs save, and the same command goes on later
	@$(BIN)/python -m workflow_scripts.stop_run

retry: setup ## Try items again that failed
	$(BIN)/python -m workflow_scripts.retry_failed
	$(RUN)

snapshot: setup ## Record what was made for git and DVC, so that another machine can pull it
	@$(BIN)/python -m workflow_scripts.snapshot

merge-locks: setup ## After a merge in which both had changed the same artefact: take the one that fits
	@$(BIN)/python -m workflow_scripts.merge_locks

plan: setup ## Say what a run would do, why, how long and how much disk (TARGETS=... CONFIG=...)
	@$(BIN)/python -m workflow_scripts.plan_run $(call each,$(TARGETS)) $(if $(CONFIG),-- $(configfile))

explain: setup ## Tell all that is known of a clip (CLIP=id CORPUS=x)
	@$(BIN)/python -m workflow_scripts.explain_clip '$(call quoted,$(CLIP))' $(call option,corpus,CORPUS)

review: setup ## Listen to clips, keep, reject and correct them in the browser (DATASET=x PORT=n)
	@$(BIN)/python -m workflow_scripts.review_dataset --dataset='$(call quoted,$(DATASET))' $(call option,port,PORT)

survey: setup ## Report what a dataset is made of, and what to change, in results/datasets (DATASET=x)
	@test -n '$(call quoted,$(DATASET))' || { echo "error: which dataset? make survey DATASET=name"; exit 1; }
	$(RUN) $(call each,$(DATASET:%=results/datasets/%/report.html)) $(configfile)

heard: setup ## List what heard a speaker: datasets, packs, codecs, models, archives (SPEAKER=x CORPUS=x)
	@$(BIN)/python -m workflow_scripts.find_heard '$(call quoted,$(SPEAKER))' $(call option,corpus,CORPUS)

catalog: setup ## List published corpora and base models that a configuration can name [WORDS="telugu"]
	@$(BIN)/python -m workflow_scripts.list_catalog $(call each,$(WORDS))

collect: setup ## Collect from the web what a corpus' list names and is not here yet (CORPUS=x)
	@$(BIN)/python -m workflow_scripts.collect_recordings --corpus='$(call quoted,$(CORPUS))'

reference: setup ## Write config/schema.json, docs/configuration.md and docs/catalog.md anew
	$(BIN)/python -m kaiku.reference

accept: setup ## After an edit that changes no number: keep versions where results come out the same [WORKSPACE= SAMPLE= SINCE= BEFORE= TRAINING=yes]
	$(BIN)/python -m workflow_scripts.accept_code $(call option,workspace,WORKSPACE) $(call option,sample,SAMPLE) \
		$(call option,since,SINCE) $(call option,before,BEFORE) $(if $(TRAINING),--training)

oldest: setup ## The tests that touch Snakemake's own files, under the oldest version supported
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --no-deps --requirement envs/requirements-oldest.txt
	KAIKU_OLDEST_PYTHON=$(CURDIR)/.venv-oldest/bin/python $(BIN)/python -m pytest tests/workspace/test_snakemake_versions.py

slurm: setup ## The workflow on a SLURM of one node, started for it (needs slurm-wlm and munge; takes minutes)
	KAIKU_SLURM=1 $(BIN)/python -m pytest tests/workflow/test_slurm.py

lock-code: setup ## Write code.lock anew after computing code changed: a new version for each changed module
	$(BIN)/python -m workflow_scripts.lock_code

lock: setup ## Resolve envs/requirements.in to hashed pins (needs uv)
	uv pip compile --generate-hashes --no-emit-package torch --no-annotate --no-header --no-emit-index-url \
		--no-emit-find-links --constraint envs/requirements-torch.txt envs/requirements.in --output-file envs/requirements.lock
	@# What torch's build for CUDA would bring is not of this environment.
	awk '/^[a-zA-Z]/ {keep = !/^(cuda-|nvidia-|triton==)/} keep' envs/requirements.lock > envs/requirements.lock.new
	mv envs/requirements.lock.new envs/requirements.lock

disk: ## Say what the workspace takes on the disk, by kind
	@$(BIN)/python -m workflow_scripts.show_disk

runs: ## List runs and their checkpoints, and trainings that can be taken up again
	@$(BIN)/python -m workflow_scripts.list_runs

clean-work: ## Free what can go in work/ without loss of a result [KEEP_GB=] [OLDER_DAYS=] [DRY_RUN=yes]
	@$(BIN)/python -m workflow_scripts.clean_work $(call option,keep-gb,KEEP_GB) \
		$(call option,older-days,OLDER_DAYS) $(if $(DRY_RUN),--dry-run)

reshard: ## Spread a corpus over another number of shards, computing nothing again (CORPUS=x SHARDS=n)
	@$(BIN)/python -m workflow_scripts.reshard_corpus --corpus='$(call quoted,$(CORPUS))' \
		--shards='$(call quoted,$(SHARDS))'

clean-toy: ## Remove what the toy made, its working state too
	rm -rf data/segments data/transcripts data/measures data/text_measures data/tokens data/selection data/protos models/codecs/toy \
		models/toy models/toy-base results/toy results/toy-base dist/toy.tar.gz logs work .snakemake
