# `make` alone explains itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
UV := $(VENV)/bin/uv
UV_VERSION := 0.13.9
PLAYGROUND := $(PYTHON) tools/playground

.PHONY: help
help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

##@ Try it
.PHONY: demo demo-watch demo-down playground kubeconfig
demo: playground ## Bring up a Kubernetes with Perennial, train, serve, replace and defend a model (8 min; the first time 20 min)
	@$(PLAYGROUND) demo

demo-watch: ## Go on from the demo: load grows the replicas, a metric starts a retraining (6 min)
	@$(PLAYGROUND) demo-watch

demo-down: ## Remove all that the demo made
	@$(PLAYGROUND) down

playground: ## Only bring up the demo's Kubernetes with Perennial in it; again after a change of the code
	@$(PLAYGROUND) up

kubeconfig: ## Print the path of the demo's kubeconfig
	@$(PLAYGROUND) kubeconfig

##@ Work on it
.PHONY: venv lint format types test-unit test-api test-faults test-e2e test-kueue faults fuzz test-fast test test-long bench-operator bench-training docs docs-serve crds images lock clean
venv: $(VENV)/.installed ## Install everything for development into .venv (2 min, 6 GB: torch brings CUDA along)

$(VENV)/.installed: requirements/test.txt pyproject.toml
	@echo "==> Install the development environment into $(VENV) (usually 2 min the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=")'
	@test -x $(UV) || { $(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install --quiet uv==$(UV_VERSION); }
	@$(UV) pip install --quiet --require-hashes -r requirements/test.txt
	@$(UV) pip install --quiet --no-deps --editable .
	@touch $@

lint: venv ## Style, layers and generated files
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports

format: venv ## Mend the style
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

types: venv ## Check the types of the operator, strictly
	@$(VENV)/bin/mypy

test-unit: venv ## Pure logic and single processes (9 min)
	@OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n 2 --dist loadfile tests/unit

test-api: venv ## The operator against a real control plane; pods are simulated by writing their status (5 min)
	@$(VENV)/bin/pytest tests/api

test-faults: venv ## The operator under fire: lies, silence, two at once, a part of the crash sweep and of the fuzz (7 min)
	@$(VENV)/bin/pytest tests/faults

test-e2e: venv ## The whole story in real pods (32 min)
	@$(VENV)/bin/pytest -n 2 --dist loadfile -m "not long" tests/e2e

test-kueue: venv ## training.queue against a real Kueue (3 min; the first time 7 min); a part of make test-long
	@$(VENV)/bin/pytest tests/kueue

faults: venv ## Every fault at every write of a model's life, ten idle minutes, and every lie and silence (40 min)
	@PERENNIAL_TEST_RESYNC_SECONDS=300 $(VENV)/bin/pytest --ignore tests/faults/test_crash_sweep.py \
	    --ignore tests/faults/test_misoperation.py tests/faults
	@$(VENV)/bin/python tests/faults $(ARGUMENTS)

fuzz: venv ## 1,000 sequences of good and bad specs, each compared with a fresh object (8 min); ARGUMENTS="--seed 7"
	@$(VENV)/bin/python tests/faults/misoperation_fuzz.py $(ARGUMENTS)

test-fast: lint types test-unit test-api ## What one runs while working

test: venv ## Everything that a change can break, side by side where it can be: what CI runs
	@$(PYTHON) tools/run_tests

test-long: venv ## What repeats at length what make test proves: the whole crash sweep, the long fuzz, Kueue, all examples
	@$(PYTHON) tools/run_tests --long

bench-operator: venv ## Measure the operator beside the API server's limit and Kubeflow Trainer (20 min; nothing else should run)
	@$(VENV)/bin/python benchmarks/operator

bench-training: venv ## Measure a TrainingJob beside a bare loop and transformers' Trainer (35 min; nothing else should run)
	@$(VENV)/bin/python benchmarks/training $(ARGUMENTS)

docs: $(VENV)/.docs-installed ## Build the documentation's site into build/docs; broken links fail
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	@echo "build/docs/index.html"

docs-serve: $(VENV)/.docs-installed ## Show the documentation at http://127.0.0.1:8000 while it is edited
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs serve

$(VENV)/.docs-installed: $(VENV)/.installed requirements/docs.txt
	@echo "==> Install MkDocs into $(VENV) (usually 10 s)"
	@$(UV) pip install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

crds: venv ## Generate the CRDs from operator/perennial/api, and the JSON Schemas from contract/perennial_contract
	@$(VENV)/bin/python -m perennial.api.crd crds charts/perennial/crds
	@$(VENV)/bin/python -m perennial_contract.schemas contract/perennial_contract/schemas

images: ## Build the images without Docker
	@$(PYTHON) tools/build_images build

lock: venv ## Resolve the dependencies again
	@tools/lock.sh

clean: ## Remove the virtual environment and what tools left
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
