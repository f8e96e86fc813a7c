# One list of commands; `.ci/run` and pre-commit call the same recipes. Needs Python 3.11, git and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PY := .venv/bin/python
BIN := .venv/bin
PACKAGES := domain imaging evidence infra data models monitoring serving pipelines
# More than one thread a process makes torch slower, not faster, beside a busy neighbour.
TEST_ENV := OMP_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help environment demo test test-unit check format bench lock images-check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

environment: ## .venv from requirements.lock; reused while that is unchanged
	@$(PYTHON) scripts/environment.py

demo: environment ## the main job from images to a served, traced, monitored prediction; ONCE=1 ends after the table
	@$(PY) -m pipelines.cli demo $(if $(ONCE),--once)

test: environment ## every test but the benchmarks; installs the system's parts they need (Debian, root) or lists them
	@$(PYTHON) scripts/system_parts.py
	@$(TEST_ENV) $(PY) -m pytest -q -n 2 -m "not benchmark" tests/unit tests/contract tests/architecture
	@$(TEST_ENV) $(PY) -m pytest -q -n 2 --dist loadfile -m "not benchmark" tests/integration
	@$(TEST_ENV) $(PY) -m pytest -q -m "not benchmark" tests/e2e

test-unit: environment ## the tests that need nothing, in under a minute
	@$(TEST_ENV) $(PY) -m pytest -q -n 2 tests/unit

check: environment ## format, lint, types, import contracts, documents, compose and images, as in CI
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(PACKAGES)
	@MYPYPATH=scripts $(BIN)/mypy scripts
	@$(BIN)/lint-imports
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	@$(BIN)/hadolint deploy/images/Dockerfile.*
	@$(TEST_ENV) $(PY) -m pytest -q tests/architecture

format: environment ## let ruff rewrite what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: environment ## measure speed; writes nothing into the tree unless it says so
	@$(TEST_ENV) $(PY) -m pytest -q -s -m benchmark tests/benchmarks

lock: environment ## resolve pyproject.toml into requirements.lock; UPGRADE=1 takes newer versions
	@$(PY) scripts/lock.py $(if $(UPGRADE),--upgrade)

images-check: ## build and run our own images for real (Debian, root: buildah, podman, runc, debootstrap)
	@scripts/images_check.sh

clean: ## remove the environment and caches, never data or the platform's state
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -not -path './.fiducial/*' -prune -exec rm -rf {} +
