# `make` alone lists what can be typed.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
# Stages are `python -m stages.<name>`: the environment's python must be the first on the path.
export PATH := $(BIN):$(PATH)
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help setup evidence paper test show sweep readme deps lint format lock clean
.DEFAULT_GOAL := help

help: ## What can be typed here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## The environment, from the lock file
evidence: $(VENV)/.installed ## Every seed, attacks, statistics, tables, provenance (`dvc repro`)
	dvc repro

# Each choice of monos2s.sty's options has its folder: build/paper, build/paper-audit.
comma := ,
PDF = build/paper$(addprefix -,$(subst $(comma),-,$(OPTIONS)))
paper: ## The evidence as build/paper/paper.pdf, with LaTeX; OPTIONS=audit links each number, OPTIONS=anonymous
	@command -v latexmk >/dev/null || { echo "latexmk is missing: install LaTeX, on Debian latexmk and texlive-latex-recommended"; exit 1; }
	@mkdir -p $(PDF)
	@latexmk -cd -pdf -interaction=nonstopmode -halt-on-error -outdir=../$(PDF) \
		-usepretex='\PassOptionsToPackage{$(OPTIONS)}{monos2s}' paper_evidence/paper.tex >$(PDF)/latexmk.log 2>&1 \
		|| { sed -n '/^!/,/^l\./p' $(PDF)/paper.log; exit 1; }
	@echo $(PDF)/paper.pdf

test: $(VENV)/.installed-test ## All tests, in the same environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

show: $(VENV)/.installed ## Compare experiments: seed, scale and the headline metrics
	@dvc exp show $(SHOW)

sweep: $(VENV)/.installed ## Run the paper's seeds two at a time in DVC's queue; then `dvc repro` replays them
	dvc exp run --queue headline -S 'seed=$(SEEDS)'
	dvc queue start -j 2

lint: $(VENV)/.installed-test ## ruff, as the tests do
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-test ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

readme: $(VENV)/.installed ## Put the committed headline into README.md
	$(BIN)/python tools/readme_table.py

deps: $(VENV)/.installed ## Declare every first-party import of each stage in the dvc.yaml files
	$(BIN)/python tools/declare_imports.py

lock: ## Pin anew: resolve the dependencies in an empty environment
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install -q -e '.[hub]'
	grep '^#' requirements.lock > build/head && build/lock/bin/python -m pip freeze --exclude-editable | sed -E 's/\+[a-z0-9]+$$//' > build/pins
	build/lock/bin/python -m pip install -q -e '.[test]'
	cat build/head build/pins > requirements.lock
	grep '^#' requirements-test.lock > build/head && build/lock/bin/python -m pip freeze --exclude-editable | sed -E 's/\+[a-z0-9]+$$//' | grep -vxFf build/pins > build/test-pins
	cat build/head build/test-pins > requirements-test.lock

clean: ## Remove the environment and resume state; results, evidence and DVC's cache stay
	rm -rf $(VENV) build runs/.scratch

$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.created requirements.lock pyproject.toml
	$(PIP) install -q -c requirements.lock -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed requirements-test.lock
	$(PIP) install -q -c requirements.lock -c requirements-test.lock -e '.[test]'
	touch $@

# Columns of `dvc exp show` that nobody wants: every file that a stage depends on, and parameters that no experiment varies.
SHOW = --hide-failed --only-changed --keep '^(study|seed|scale)$$|^(baseline|monotonic)\.' \
	--drop '(^|/)(data|experiment_results|mono_s2s|paper_evidence|runs|scales|stages)(/|$$)|^(metrics|params|requirements)\.'
SEEDS = $(shell sed -n '/^seeds:/,/^[^- ]/s/^- //p' params.yaml | paste -sd,)
