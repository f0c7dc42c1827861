# make repro: environment, pipeline, ablation table.  make test: every check.  Both work alone.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test slow torture install docs lock clean

repro: install
	dvc repro; status=$$?; bench table --which ablation; exit $$status

test: install
	ruff check .
	ruff format --check .
	mypy
	pytest -m "not slow"

slow: install
	pytest -m slow

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

# docs/methods.md, from docstrings and records.
docs: install
	bench methods --page > docs/methods.md

# Renew requirements.lock: every version with hashes, for all Pythons from 3.11 on.
lock: install
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
	  --output-file requirements.lock

clean:
	rm -rf .bench data runs
