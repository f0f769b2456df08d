# One command surface: people and CI call the same targets. Each works as the first command in a fresh clone.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# BERT=no installs neither torch nor the model.
BERT ?= yes
KIND := $(if $(filter no 0 false,$(BERT)),base,all)
# Further arguments: make test ARGS='-k history', make demo ARGS='--help'.
ARGS ?=
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
# The assignment fails with the script, whose message is then the last one.
PYTHON_ALL = python=$$(scripts/environment all) && exec $$python
PACKAGES := agents models tests benchmarks

.PHONY: help setup check test test-only faults fuzz demo kafka kafka-stop up bench bench-quick bench-pipeline bench-overload bench-update lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install everything into the cache folder (BERT=no: without torch)
	@scripts/environment $(KIND) >/dev/null
	@echo "Ready. The command is ./profilestream (try: ./profilestream --help)"

check: ## lint, formatting, types
	@$(PYTHON_ALL) -m ruff check $(PACKAGES)
	@$(PYTHON_ALL) -m ruff format --check $(PACKAGES)
	@$(PYTHON_ALL) -m mypy

test: check test-only ## all checks, then all tests, with a real Kafka for as long as they run

test-only: ## the tests alone (ARGS='-m "not broker"' needs no Java)
	@$(PYTHON_ALL) -m pytest $(ARGS)

faults: ## mixtures of kills, lost disks, broker and network faults, checked to the last record (ARGS='--seeds 50')
	@$(PYTHON_ALL) -m tests.faults $(ARGS)

fuzz: ## every decoder against a million bad records each (ARGS='--decoder Profile --seed 7')
	@$(PYTHON_ALL) -m tests.fuzz $(ARGS)

demo: ## watch purchases stream in and recommendations stream out (BERT=no: the light try)
	@python=$$(scripts/environment $(KIND)) && exec $$python -m agents.cli demo $(if $(filter base,$(KIND)),--no-bert) $(ARGS)

kafka: ## start Apache Kafka on this machine, without Docker
	@exec ./profilestream kafka start $(ARGS)

kafka-stop: ## stop it
	@exec ./profilestream kafka stop $(ARGS)

up: ## Kafka and the workers in containers
	@docker compose -f deploy/compose.yaml up --build $(ARGS)

bench: ## throughput and latency of the profiles worker
	@$(PYTHON_ALL) -m benchmarks.profiles $(ARGS)

bench-quick: ## has the lead over plain Faust shrunk? (two minutes)
	@$(PYTHON_ALL) -m benchmarks.quick $(ARGS)

bench-pipeline: ## event → list over all workers: rate, latency
	@$(PYTHON_ALL) -m benchmarks.pipeline $(ARGS)

bench-overload: ## a burst of 20 times the sustainable rate: memory, lag, fresh events
	@$(PYTHON_ALL) -m benchmarks.overload $(ARGS)

bench-update: ## profile update beside Kafka Streams, Quix Streams, Bytewax and Faust (first: ARGS=--prepare)
	@$(PYTHON_ALL) -m benchmarks.update $(ARGS)

COMPILE = "$$(dirname "$$(scripts/environment base)")/uv" pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	$(if $(filter yes,$(UPGRADE)),--upgrade)

# The locks hold for every platform and Python from 3.11 on. Versions in them are kept; UPGRADE=yes takes the newest.
lock: ## write the lock files anew after a change in pyproject.toml (UPGRADE=yes: newest versions)
	@$(COMPILE) pyproject.toml -o locks/base.txt
	@$(COMPILE) pyproject.toml --all-extras -o locks/all.txt
	@$(COMPILE) benchmarks/peers/requirements.in -o benchmarks/peers/requirements.txt

clean: ## remove what tools left in the clone (environments, jars and Kafka's data stay in the cache folder)
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
