# Every command a developer needs; CI runs the same ones. `make help` lists them.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell scripts/find-python 2>/dev/null)
RUST_SOURCES := $(shell find native -name '*.rs' -not -path '*/target/*') native/Cargo.toml
FUZZ_SECONDS ?= 30
export CARGO_TARGET_DIR ?= $(CURDIR)/native/target

.PHONY: help setup setup-dev demo test check format style lint types contracts fast native-test serve bench chaos fuzz peers clean
.DEFAULT_GOAL := help
# Drawn once for a run, so that what failed beside other tests is tried again as it was.
ifndef OFFHOOK_TEST_SEED
OFFHOOK_TEST_SEED := $(shell od -An -N3 -tu4 /dev/urandom | tr -d ' ')
endif
export OFFHOOK_TEST_SEED
# Calls are real time, and tests that run side by side take it from each other: what failed is tried once more, alone.
ALONE = { echo "once more, one at a time:"; $(BIN)/python -m pytest --last-failed --last-failed-no-failures none -q; }

help: ## what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# $(1): what to install. One call of pip, since each builds the engine.
define install
	@scripts/preflight
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up (Python packages and the media engine; the first time takes a few minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '$(1)'
endef

$(VENV)/.installed: pyproject.toml constraints.txt $(RUST_SOURCES)
	$(call install,.)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt $(RUST_SOURCES)
	$(call install,.[dev])
	@touch $(VENV)/.installed $@

setup: $(VENV)/.installed ## install what running needs into .venv

setup-dev: $(VENV)/.installed-dev ## install what developing needs into .venv

demo: setup ## a real call: server, voice application and phone, shown as it happens
	@$(BIN)/python examples/demo/run.py

serve: setup ## a server to try things on
	@$(BIN)/offhook serve --dev

peers: ## install the real SIP peers that the tests call (needs root; elsewhere says which)
	@scripts/peers

test: setup-dev peers style types contracts native-test ## everything that must pass
	$(BIN)/python -m pytest -n auto --dist loadfile -q || $(ALONE)

native-test: setup-dev ## the media engine's own tests
	cd native && cargo test --release --quiet

check: setup-dev format lint types contracts fast ## before every commit

format:
	$(BIN)/ruff format --quiet .

style: setup-dev
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ruff check --quiet .

lint: style
	cd native && cargo clippy --release --quiet --all-targets -- -D warnings

types: setup-dev
	$(BIN)/mypy

contracts: setup-dev
	@PYTHONPATH=src $(BIN)/lint-imports --no-logo

fast: setup-dev ## the tests that need no peer
	$(BIN)/python -m pytest -n auto --dist loadfile -q -m 'not interop'

fuzz: setup-dev ## every parser, FUZZ_SECONDS each
	@for target in sip sdp documents didml; do $(BIN)/python -m fuzz.$$target --seconds $(FUZZ_SECONDS) || exit 1; done
	cd native && FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --release --quiet --test fuzz -- --ignored

bench: setup-dev ## the figures of docs/design/performance.md, measured here
	$(BIN)/python -m benchmarks

chaos: setup-dev ## kills, failures and restarts under calls, against their bars (CHAOS="--only kill --seed 7")
	@$(BIN)/python -m benchmarks.chaos $(CHAOS)

clean: ## forget what was built
	rm -rf $(VENV) native/target
