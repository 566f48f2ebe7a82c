# `make` alone explains itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
UV := $(VENV)/bin/uv
UV_VERSION := 0.13.9
# What mypy knows of the libraries holds for every clone.
export MYPY_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/perennial/mypy
PLAYGROUND := $(PYTHON) tools/playground

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

##@ Try it
.PHONY: demo demo-watch demo-down playground kubeconfig
demo: playground ## Start a cluster with Perennial; train, serve, replace and defend a model (8 min; the first time 20 min)
	@$(PLAYGROUND) demo

demo-watch: ## Continue the demo: load adds replicas, a metric starts a retraining on more data (7 min)
	@$(PLAYGROUND) demo-watch

demo-down: ## Delete everything that the demo created
	@$(PLAYGROUND) down

playground: ## Start only the cluster of the demo, or update Perennial in it to the current code
	@$(PLAYGROUND) up

kubeconfig: ## Print the path of the demo's kubeconfig
	@$(PLAYGROUND) kubeconfig

##@ Development
.PHONY: venv lint lint-chart format types test-unit test-api test-faults test-e2e test-kind test-kueue faults fuzz test-fast test test-long bench-operator bench-training bench-gpu docs docs-serve crds chart images lock clean
venv: $(VENV)/.installed ## Install the development environment into .venv (2 min, 6 GB, since torch contains CUDA)

$(VENV)/.installed: requirements/test.txt pyproject.toml
	@echo "==> Install the development environment into $(VENV) (usually 2 min the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=")'
	@test -x $(UV) || { $(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install --quiet uv==$(UV_VERSION); }
	@$(UV) pip install --quiet --require-hashes -r requirements/test.txt
	@$(UV) pip install --quiet --no-deps --editable .
	@touch $@

lint: venv ## Check style and layers
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports

lint-chart: venv ## Check chart and examples by the linters of their users (30 s; the first time 6 min); part of make test-long
	@$(VENV)/bin/pytest tests/chart

format: venv ## Format the code and fix its style
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

types: venv ## Check types, strictly
	@$(VENV)/bin/mypy

test-unit: venv ## Test pure logic and single processes (8 min)
	@$(PYTHON) tools/run_tests --only unit

test-api: venv ## Test the operator on a real control plane; pods are simulated by writing their status (6 min)
	@$(PYTHON) tools/run_tests --only api

test-faults: venv ## Test the operator under faults: a lying or silent API server, two leaders, crashes, bad specs (10 min)
	@$(PYTHON) tools/run_tests --only faults

test-e2e: venv ## Test training and serving in real pods (15 min)
	@$(PYTHON) tools/run_tests --only e2e

test-kind: venv ## Test training and serving in real pods on kind, where Docker runs
	@PERENNIAL_CLUSTER=kind $(PYTHON) tools/run_tests --only e2e

test-kueue: venv ## Test training.queueName with a real Kueue (3 min; the first time 7 min); part of make test-long
	@$(VENV)/bin/pytest tests/kueue

faults: venv ## Test every fault at every write of a model's life, and ten idle minutes (40 min); part of make test-long
	@PERENNIAL_TEST_RESYNC_SECONDS=300 $(VENV)/bin/pytest --ignore tests/faults/test_crash_sweep.py \
	    --ignore tests/faults/test_misoperation.py tests/faults
	@$(VENV)/bin/python tests/faults $(ARGUMENTS)

fuzz: venv ## Test 1,000 random sequences of good and bad specs (18 min); part of make test-long; ARGUMENTS="--seed 7"
	@$(VENV)/bin/python tests/faults/misoperation_fuzz.py $(ARGUMENTS)

test-fast: lint types test-unit test-api ## Run the fast checks and tests, while you work

test: venv ## Run all checks and tests, as CI does (about 30 min on 2 cores)
	@$(PYTHON) tools/run_tests

test-long: venv ## Run the slow tests: the whole crash sweep, the long fuzz, Kueue, linters of the chart, all examples
	@$(PYTHON) tools/run_tests --long

bench-operator: venv ## Compare the operator with the API server's limit and Kubeflow Trainer (30 min, on an idle machine)
	@$(VENV)/bin/python benchmarks/operator

bench-training: venv ## Compare a TrainingJob with a bare loop and transformers' Trainer (35 min, on an idle machine)
	@$(VENV)/bin/python benchmarks/training $(ARGUMENTS)

bench-gpu: venv ## Measure training and serving on this machine's GPU (about 9 min, on an idle machine)
	@$(VENV)/bin/python benchmarks/gpu $(ARGUMENTS)

docs: $(VENV)/.docs-installed ## Build the documentation into build/docs; broken links fail
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	@echo "build/docs/index.html"

docs-serve: $(VENV)/.docs-installed ## Serve the documentation at http://127.0.0.1:8000, with live reload
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs serve

$(VENV)/.docs-installed: $(VENV)/.installed requirements/docs.txt
	@echo "==> Install MkDocs into $(VENV) (usually 10 s)"
	@$(UV) pip install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

crds: venv ## Generate the CRDs from operator/perennial/api, and the JSON Schemas from contract/perennial_contract
	@$(VENV)/bin/python -m perennial.api.crd crds charts/perennial/files/crds
	@$(VENV)/bin/python -m perennial_contract.schemas contract/perennial_contract/schemas

chart: venv ## Generate the table of values in the chart's README from the comments in its values.yaml
	@$(VENV)/bin/python tools/chart_readme.py

images: ## Build the images, without Docker
	@$(PYTHON) tools/build_images build

lock: venv ## Update the pinned dependencies
	@tools/lock.sh

clean: ## Delete the virtual environment and the caches of tools
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
