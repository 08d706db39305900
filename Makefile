# Every target works from a clean clone; CI runs `make check` on each change.
PY := .venv/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo shell test check night golden reference docs bench coverage mutants chaos contract format clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 18

demo: ## play the story on this machine: make demo ARGS=--exit
	@scripts/setup run
	@$(PY) -m hive demo $(ARGS)

shell: ## a shell that finds `hive`, without installing it for the whole machine
	@scripts/setup run
	@VIRTUAL_ENV="$(CURDIR)/.venv" PATH="$(CURDIR)/.venv/bin:$$PATH" exec "$${SHELL:-/bin/sh}"

test: ## the whole gate: style, types, import contracts, tests
	@scripts/setup dev
	@scripts/check

check: test ## the same as test

night: ## the whole gate with what is played each night: long stories, every forge, every kind of container
	@scripts/setup dev
	@HIVE_NIGHTLY=1 scripts/check

golden: reference ## write the golden files, the reference and the README's picture; reviewers read the diff
	@HIVE_GOLDEN=write $(PY) -m pytest -q tests -k "golden or evening" $(ARGS)

reference: ## write docs/reference and the schemas of configuration files from the code
	@scripts/setup dev
	@$(PY) scripts/reference.py
	@$(PY) scripts/nixos_reference.py

docs: ## build the documents as a site, without a network: site/html/index.html
	@scripts/setup dev
	@$(PY) scripts/site.py
	@.venv/bin/zensical build --strict --clean

bench: ## measure beside peers, and write bench/out/latest.json: make bench ARGS="ingest queue" for parts of it
	@scripts/setup dev
	@scripts/peers
	@$(PY) -m bench $(ARGS)

coverage: ## run the tests under coverage, with a minimum for each important room
	@scripts/setup dev
	@scripts/coverage

mutants: ## put small faults into important modules, and list those that no test detects: make mutants ARGS="verify lane" for some
	@scripts/setup dev
	@$(PY) -m bench.mutants $(ARGS)

chaos: ## kill processes at random for a while: make chaos SECONDS=600 SEED=1
	@scripts/setup dev
	@$(PY) -m tests.chaos --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1)

contract: ## the contract of every forge; against a real one with HIVE_TEST_FORGE=URL
	@scripts/setup dev
	@HIVE_CONTRACT=table $(PY) -m pytest -q tests/contract $(ARGS)

format: ## format the code
	@scripts/setup dev
	@.venv/bin/ruff format -q . && .venv/bin/ruff check -q --fix .

clean: ## remove what the targets above made
	rm -rf .venv .hive .pytest_cache .mypy_cache .ruff_cache .import_linter_cache bench/out tests/out site
