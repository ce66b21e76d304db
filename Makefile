# Every target does its own set-up: Python 3.11+, pip, git and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCHMARKS := startup tool_latency telemetry_off memory messaging alias_moves serving drift large_drift detection estimates warm_start families averages compression search_overhead rules sequential patterns bandits ope prompt_latency events workflow time_features fronts

.PHONY: help setup demo test test-torch test-ray test-exports check lint types contracts lock bench soak docs site clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Make .venv from the lock file

$(STAMP): requirements/dev.lock pyproject.toml
	@echo "Setting up $(VENV) from requirements/dev.lock (one to three minutes the first time)"
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 to 3.13 is needed; this is " + sys.version.split()[0]) if not (3, 11) <= sys.version_info < (3, 14) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)
	@echo "Ready: $(BIN)/ml-orchestrator. Next: make demo, or $(BIN)/ml-orchestrator doctor"

demo: setup ## Walk the whole main job on real data, over stdio, as a client would
	$(BIN)/python examples/demo.py

test: setup ## Run the tests (real clients too, where npm can be reached)
	$(BIN)/python tests/clients/setup.py || test $$? -eq 3
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-torch: ## Run the tests that need PyTorch, in an environment of their own (build/torch)
	$(PYTHON) -m venv build/torch
	build/torch/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	build/torch/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[torch]'
	NEED_TORCH=1 build/torch/bin/python -m pytest tests/training/test_torch_net.py

test-ray: ## Run the tests that need Ray, in an environment of their own (build/ray)
	$(PYTHON) -m venv build/ray
	build/ray/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	build/ray/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[ray]'
	NEED_RAY=1 build/ray/bin/python -m pytest tests/training/test_ray_trials.py

test-exports: setup ## Let Airflow and Kubeflow read exported pipelines, in an environment of their own (build/exports)
	$(PYTHON) -m venv build/exports
	build/exports/bin/python -m pip install --quiet --disable-pip-version-check 'apache-airflow>=3,<4' 'kfp>=2,<3' kfp-kubernetes
	PLATFORMS_PYTHON=$(CURDIR)/build/exports/bin/python $(BIN)/python -m pytest tests/tools/test_exports_on_platforms.py

check: lint types contracts test ## Everything CI runs

lint: setup ## Format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup ## Types, strictly
	$(BIN)/mypy

contracts: setup ## Import contract, agent files, size of tool definitions, what skills show
	$(BIN)/lint-imports
	$(BIN)/python tests/plugin/lint_agents.py
	$(BIN)/python -m tests.plugin.tool_sizes
	$(BIN)/python -m tests.plugin.check_shown

bench: setup ## Run every benchmark, short; peers are installed on first use
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --quick || exit 1; done

soak: setup ## Run the fault and load programs for long (more than an hour)
	$(BIN)/python -m tests.memory.soak
	$(BIN)/python -m tests.messaging.soak
	$(BIN)/python -m tests.serving.load
	$(BIN)/python benchmarks/large_drift.py
	$(BIN)/python -m tests.orchestration.rollouts.soak_rollouts --rounds 1000
	$(BIN)/python -m tests.orchestration.soak_runs
	$(BIN)/python benchmarks/alias_moves.py

lock: ## Renew the lock files (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 pyproject.toml --extra otel -o requirements/core.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 pyproject.toml --extra cmaes --extra datasets --extra embeddings --extra lightgbm --extra onnx --extra otel --extra postgres --extra streams --group dev -o requirements/dev.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 --group docs -o requirements/docs.lock

docs: setup ## Renew what is generated: documentation, the launcher's manifest and metadata
	$(BIN)/python docs/generate.py
	$(BIN)/python bin/make_manifest.py
	$(BIN)/python bin/make_metadata.py

site: requirements/docs.lock ## Build the documentation site into build/site
	$(PYTHON) -m venv build/docs
	build/docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.lock
	NO_MKDOCS_2_WARNING=1 build/docs/bin/mkdocs build --quiet --strict

clean: ## Remove what set-up and tests made
	rm -rf $(VENV) build .node .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
