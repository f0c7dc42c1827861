# `make help` lists the targets, by the comments that begin with two signs.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# DVC's own default, /var/tmp/dvc, is open to all users of the machine (docs/security.md).
export DVC_SITE_CACHE_DIR ?= /var/tmp/dvc-$(shell id -u)

.DEFAULT_GOAL := help
.PHONY: help repro test slow perf fuzz torture install docs site picture licences lock audit-deps clean

help: ## print this
	@sed -n 's/^\([a-z][a-z-]*\):[^#=]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r a b; \
	  do printf '%-20s %s\n' "$$a" "$$b"; done

OWN := $(if $(filter file,$(origin DVC_SITE_CACHE_DIR)),test -O "$$DVC_SITE_CACHE_DIR",true)
repro: install ## environment, pipeline and ablation table; works alone in a fresh clone
	@mkdir -p -m 700 "$$DVC_SITE_CACHE_DIR" && $(OWN) \
	  || { echo "error: set DVC_SITE_CACHE_DIR to a folder of your own" >&2; exit 2; }
	dvc repro; status=$$?; bench table --which ablation; exit $$status

test: install ## ruff, mypy, the import contract and the fast tests; works alone in a fresh clone
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	pytest -m "not slow" --numprocesses 2 --dist loadfile

slow: install ## the tests that take minutes
	pytest -m slow

perf: install ## speed beside plain ways, as ratios (QUICK=1, ONLY="step words", PAGE=1: the page)
	python benchmarks/perf.py $(if $(QUICK),--quick) $(ONLY)
	$(if $(PAGE),python benchmarks/perf.py --page)

CASES ?= 100000
fuzz: install ## 100,000 hostile inputs over everything that is read (CASES=, ONLY=, SEED=)
	PYTHONPATH=tests OMP_NUM_THREADS=1 python tests/fuzz/long_form.py --cases $(CASES) \
	  --only "$(ONLY)" $(if $(SEED),--seed $(SEED))

torture: install ## an hour of kills, damage and full disks, then docs/reliability.md
	rm -f build/torture.jsonl
	python -m tests.torture; status=$$?; \
	  python -m tests.torture --page; exit $$status

install: $(VENV)/installed ## the environment .venv, from requirements.lock (5.5 GB)

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; run 'make PYTHON=python3.12 $(MAKECMDGOALS)'" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

docs: install ## the generated pages: methods, commands, rooms, the record's schema
	bench methods --page > docs/methods.md
	bench record schema > docs/record.schema.json
	python benchmarks/reference.py

site: install ## the documents as a site in build/site; asks no other host
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

picture: install ## docs/figures/data-flow-*.svg, from data/mini and runs/mini
	python benchmarks/picture.py

licences: install ## docs/licences.md, from the installed packages
	python benchmarks/licences.py > docs/licences.md

audit-deps: ## known vulnerabilities of the locked packages; asks a service on the network
	$(PYTHON) -m venv .bench/audit
	.bench/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	.bench/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

lock: install ## renew requirements.lock: versions with hashes, for all Pythons from 3.11 on
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
	  --output-file requirements.lock

clean: ## remove data/, runs/ and .bench/
	rm -rf .bench data runs
