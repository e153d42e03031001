# Everything a person needs is a target here; `make help` lists them.
#
# Each environment holds a regular install of a wheel: an editable one would put
# extension modules into src/, where the uncompiled environment would find them.
# Stamp files keep what is up to date from being made again.

PYTHON ?= python3
# Tells apart the environments of several interpreters, for test-all.
SUFFIX ?=
ARGS ?=
# Tests run in so many processes; 0 is in one, where a debugger can stop.
PROCESSES ?= auto

VENV := .venv$(SUFFIX)
PURE := .venv-pure$(SUFFIX)
DEV := .venv-dev
ENVIRONMENT := $(PYTHON) tools/environment.py
PYTEST := -m pytest -n $(PROCESSES) --dist worksteal $(ARGS)
# What does not depend on the build runs on the compiled one, if there will be one.
COMPILED = $(filter compiled,$(shell cat $(VENV)/.mode))
ONCE = $(if $(COMPILED),-m "not any_build")
SOURCES := $(shell find src -type f \( -name '*.py' -o -name '*.pxd' -o -name py.typed \
	-o -path '*/assets/*' \)) \
	pyproject.toml setup.py README.md LICENSE
# All of the part that is asked for may run once.
NOTHING = $(if $(ARGS),$(if $(ONCE), || [ $$? -eq 5 ]))
# Nobody sees into a compiled module: what of these is covered, the uncompiled run alone tells.
comma := ,
CORE = $(subst $() ,$(comma),$(patsubst %.pxd,%.py,$(filter-out %/__init__.pxd,$(filter %.pxd,$(SOURCES)))))
# Of the environments $(1), whose runs left what they covered there, report on the modules $(2).
covered = export COVERAGE_FILE=$(firstword $(1))/.coverage; \
	$(firstword $(1))/bin/python -m coverage combine -q --keep $(1) && \
	$(firstword $(1))/bin/python -m coverage report $(2) $(if $(ARGS),--fail-under=0)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-pure test-compiled run-pure run-compiled test-all page lint format types docs verify bench clean server FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: PYTHON=<interpreter>, PROCESSES=<number of the tests'>,"
	@echo "  ARGS=<more arguments for pytest or the benchmarks>"

demo: $(VENV)/.extra-cli ## install the command line into .venv and run its demonstration
	$(VENV)/bin/scrubjay demo $(ARGS)

test: $(VENV)/.mode ## run the whole suite on the uncompiled build and on the compiled one, with coverage
	@$(MAKE) --no-print-directory run-pure
	@$(MAKE) --no-print-directory run-compiled
	@echo "==> what the suite covers"
	@$(call covered,$(PURE) $(if $(COMPILED),$(VENV)))

test-pure: run-pure ## run what depends on the build on the uncompiled one, with coverage of the core
	@echo "==> what the suite covers$(if $(COMPILED), of what is compiled elsewhere)"
	@$(call covered,$(PURE),$(if $(COMPILED),--include=$(CORE)))

test-compiled: run-compiled ## run the suite on the compiled build, if there is a compiler
	@if [ -n "$(COMPILED)" ]; then \
		echo "==> what the suite covers of what is not compiled"; \
		$(call covered,$(VENV),--omit=$(CORE)); \
	fi

run-pure: $(PURE)/.extra-test $(VENV)/.mode | server
	@echo "==> the suite on the uncompiled build$(if $(COMPILED),$(comma) but for what runs once)"
	@rm -f $(PURE)/.coverage*
	COVERAGE_FILE=$(CURDIR)/$(PURE)/.coverage $(PURE)/bin/python -m coverage run $(PYTEST) $(ONCE)$(NOTHING)

run-compiled: $(VENV)/.mode | server
	@if [ -n "$(COMPILED)" ]; then \
		$(MAKE) --no-print-directory $(VENV)/.extra-test && \
		rm -f $(VENV)/.coverage* && \
		echo "==> the suite on the compiled build" && \
		COVERAGE_FILE=$(CURDIR)/$(VENV)/.coverage $(VENV)/bin/python -m coverage run $(PYTEST); \
	else \
		echo "==> NOT TESTED: the compiled build, for want of a C compiler or Python's headers"; \
	fi

test-all: ## run `make test` on every Python from 3.10 on that is found
	@set -e; for python in $$($(ENVIRONMENT) interpreters); do \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "==> Python $$version: $$python"; \
		$(MAKE) --no-print-directory test PYTHON=$$python SUFFIX=-$$version; \
	done

page: $(VENV)/.extra-test $(VENV)/.extra-browser ## look at the live page in Chromium
	@if $(ENVIRONMENT) browser; then \
		echo "==> the live page in Chromium" && \
		$(VENV)/bin/python -m pytest tests/test_web_page.py $(ARGS); \
	else \
		echo "==> NOT TESTED: the live page in a browser, for want of Chromium"; \
	fi

lint: $(DEV)/.ready ## check the style, the format and the layers
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/lint-imports --no-cache

format: $(DEV)/.ready ## bring the code into format
	$(DEV)/bin/ruff check --fix-only --quiet .
	$(DEV)/bin/ruff format .

types: $(DEV)/.ready ## check the types, strictly, and what a type checker sees of the public names
	$(DEV)/bin/mypy
	$(DEV)/bin/python -m pytest tests/test_door_typing.py $(ARGS)

docs: $(VENV)/.extra-test | server ## run every Python snippet of the documentation
	$(VENV)/bin/python -m pytest tests/test_docs.py $(ARGS)

verify: $(VENV)/.extra-test | server ## try for a minute to break the consistency levels on a server
	$(VENV)/bin/scrubjay verify --seconds 60 $(ARGS)

bench: $(VENV)/.extra-bench | server ## compare with other caches (the compiled build, if possible)
	$(VENV)/bin/python -m benchmarks.run $(ARGS)

clean: ## remove everything that was made
	rm -rf .venv .venv-pure .venv-dev .venv-3.* .venv-pure-3.* build dist .coverage*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# For the tests of the Redis tier.
server:
	@$(ENVIRONMENT) server

FORCE:

# These three run each time, but touch their file only when it says something new.
$(VENV)/.python $(PURE)/.python $(DEV)/.python: %/.python: FORCE
	@$(ENVIRONMENT) create $*

$(VENV)/.mode: $(VENV)/.python FORCE
	@$(ENVIRONMENT) probe $(VENV)

# A source that was removed has no time stamp to notice; the list has.
$(VENV)/.sources $(PURE)/.sources: %/.sources: %/.python FORCE
	@echo "$(SOURCES)" | cmp -s - $@ || echo "$(SOURCES)" > $@

$(VENV)/.installed: $(VENV)/.mode $(VENV)/.sources $(SOURCES)
	@$(ENVIRONMENT) install $(VENV) $$(cat $(VENV)/.mode)
	@touch $@

$(PURE)/.installed: $(PURE)/.sources $(SOURCES)
	@$(ENVIRONMENT) install $(PURE) pure
	@touch $@

# The command line is part of the suite.
$(VENV)/.extra-test $(PURE)/.extra-test: %/.extra-test: %/.python pyproject.toml | %/.installed
	@$(ENVIRONMENT) extra $* cli,test
	@touch $@

$(VENV)/.extra-cli $(VENV)/.extra-bench $(VENV)/.extra-browser: $(VENV)/.extra-%: $(VENV)/.python pyproject.toml | $(VENV)/.installed
	@$(ENVIRONMENT) extra $(VENV) $*
	@touch $@

# Checking needs the sources and the tools. This editable install is never compiled.
$(DEV)/.ready: $(DEV)/.python pyproject.toml setup.py
	@echo "==> installing the tools in $(DEV)"
	@SCRUBJAY_PURE_PYTHON=1 $(DEV)/bin/python -m pip install -q -e '.[dev]'
	@touch $@
