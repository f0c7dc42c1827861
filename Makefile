# make repro: environment, pipeline, ablation table.  make test: every check.  Both work alone.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test slow fuzz torture install docs licences lock audit-deps clean

repro: install
	dvc repro; status=$$?; bench table --which ablation; exit $$status

test: install
	ruff check .
	ruff format --check .
	mypy
	pytest -m "not slow"

slow: install
	pytest -m slow

# 100,000 hostile inputs over everything that is read: CASES=, ONLY=part of a target's name, SEED=.
CASES ?= 100000
fuzz: install
	PYTHONPATH=tests OMP_NUM_THREADS=1 python tests/fuzz/long_form.py --cases $(CASES) \
	  --only "$(ONLY)" $(if $(SEED),--seed $(SEED))

# An hour of kills, damage, full disks and bad methods in throw-away copies; then docs/reliability.md.
torture: install
	rm -f build/torture.jsonl
	python -m tests.torture; status=$$?; \
	  python -m tests.torture --page > docs/reliability.md; exit $$status

install: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; run 'make PYTHON=python3.12 $(MAKECMDGOALS)'" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# docs/methods.md, from docstrings and records; docs/record.schema.json, from the record.
docs: install
	bench methods --page > docs/methods.md
	bench record schema > docs/record.schema.json

licences: install
	python benchmarks/licences.py > docs/licences.md

# Known vulnerabilities of the locked packages; asks a service on the network.
audit-deps:
	$(PYTHON) -m venv .bench/audit
	.bench/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	.bench/audit/bin/pip-audit --disable-pip --require-hashes -r requirements.lock

# Renew requirements.lock: every version with hashes, for all Pythons from 3.11 on.
lock: install
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
	  --output-file requirements.lock

clean:
	rm -rf .bench data runs
