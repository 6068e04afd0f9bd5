# The targets call the axnn and qcnpe commands; each sets up .venv first if that is needed.

# Plain `=`: the command line overrides them; variables exported by the shell (often COLS) do not.
SEED = 1
ROWS = 16
COLS = 16
PRECISIONS = 16,8,4,2
NCU = fused
NAME =
NET =
BOARD = ulx3s_85f
APPS = all
APPS_OUT = results/apps.json
SHORT_PROOFS = admission bad_command fifo halt lanes precision register_port
SECONDS = 60

VENV := .venv
# -P: the current folder is not searched for modules.
PYTHON_VENV := $(VENV)/bin/python -P
READY := $(VENV)/ready
CODE = $(wildcard qcnpe axnn sim synth tests examples docs)

SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
# Each candidate is run once, not only searched for: version managers leave launchers that only
# print an error.
PYTHON ?= $(eval PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -I -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo $$p; break; }; done))$(PYTHON)

.DEFAULT_GOAL := help
.PHONY: help demo test verilog sim sim-long formal formal-short fuzz peers coverage bench-engine bench-memory bench-tasks memory-networks bench-cpu apps apps-smoke tables waveforms docs docs-check report report-check bench-training bench-frontend synth layout library library-test release-check lint format clean system-tools chromium ngspice opensta icarus bitstream bitstreams program board-report link-sessions sim-board bare-metal

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## train, approximate, compile, simulate and price a small network [SEED=]
	@$(PYTHON_VENV) examples/demo_digits.py --run build/demo --seed $(SEED)

test: $(READY) icarus ## run all tests, in parallel
	@$(PYTHON_VENV) -m pytest -n auto --dist loadgroup

verilog: $(READY) ## write the engine's Verilog to build/verilog [ROWS= COLS= PRECISIONS= NCU= NAME=]
	@$(VENV)/bin/qcnpe generate --rows $(ROWS) --cols $(COLS) --precisions $(PRECISIONS) \
		--ncu $(NCU) $(if $(NAME),--name $(NAME)) --out build/verilog

sim: $(READY) icarus ## run only the tests that simulate the Verilog
	@$(PYTHON_VENV) -m pytest -n auto --dist loadgroup tests/sim

synth: $(READY) ## measure area, timing and energy into build/synth, synth/ and results/ [QUICK=1: area] [ROWS= COLS= PRECISIONS= NCU= LIBERTY=]
ifeq ($(QUICK)$(LIBERTY),)
	@$(PYTHON_VENV) -m synth.energy_table
	@$(PYTHON_VENV) -m synth.count_model
	@$(PYTHON_VENV) -m synth.area_table
	@$(PYTHON_VENV) -m synth.engine_check
	@$(PYTHON_VENV) -m synth.memory_prices
	@$(PYTHON_VENV) -m synth.memory_side --out results/memory_side.json
	@$(PYTHON_VENV) -m synth.memory_side_areas
	@$(PYTHON_VENV) -m sim.system_energy
endif
	@$(VENV)/bin/qcnpe synth --rows $(ROWS) --cols $(COLS) --precisions $(PRECISIONS) \
		--ncu $(NCU) --out build/synth $(if $(QUICK),--quick) $(LIBERTY:%=--liberty %)

layout: $(VENV)/ready-layout ## place and route the NCUs into build/layout, the lengths of their wires into synth/tech
	@$(PYTHON_VENV) -m synth.layout

sim-long: $(READY) ## compare over a million random results and bad commands of the Verilog with the model
	@$(PYTHON_VENV) -m sim.long

formal: $(VENV)/ready-formal ## prove the engine's properties, and that seeded bugs break them
	@$(PYTHON_VENV) -m pytest -n auto tests/formal -o python_files='prove_*.py'

formal-short: $(VENV)/ready-formal ## run only the proofs that take seconds
	@$(PYTHON_VENV) -m pytest -n auto $(SHORT_PROOFS:%=tests/formal/prove_%.py) \
		-o python_files='prove_*.py'

peers: $(VENV)/ready-peers opensta ## compare with PyTorch, OpenSTA and QONNX
	@$(PYTHON_VENV) -m pytest tests/peers -o python_files='check_*.py'

coverage: $(READY) ## report which lines of the RTL the regression reaches
	@$(PYTHON_VENV) -m sim.coverage

bench-engine: $(READY) ## measure the engine into results/engine.json
	@$(PYTHON_VENV) -m sim.bench_engine --out results/engine.json

bench-memory: $(READY) ## measure autonomous engines on five networks into results/memory.json [NET=]
	@$(PYTHON_VENV) -m sim.bench_memory --out results/memory.json $(if $(NET),--net $(NET))

bench-tasks: $(READY) ## measure tasks on two processes against one into results/tasks.json: ten minutes, idle
	@OPENBLAS_NUM_THREADS=1 $(PYTHON_VENV) -m sim.bench_tasks --out results/tasks.json

memory-networks: $(READY) ## compare 100,000 random networks on the model of autonomous engines, resumable [NETWORKS= WORKERS=]
	@OPENBLAS_NUM_THREADS=1 $(PYTHON_VENV) -m tests.qcnpe.placement.compare_networks \
		--networks $(or $(NETWORKS),100000) --workers $(or $(WORKERS),1) \
		--progress build/memory_networks_progress.json \
		--out $(if $(NETWORKS),build,results)/memory_networks.json

bench-cpu: $(VENV)/ready-speed ## measure approximate networks on this processor into results/cpu.json
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(PYTHON_VENV) -m axnn.cpu.benchmark.bench --out results/cpu.json

bench-training: $(VENV)/ready-peers ## measure training against PyTorch into results/training.json
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(PYTHON_VENV) -m tests.peers.bench_training \
		--out results/training.json

bench-frontend: $(VENV)/ready-peers ## import, verify and simulate networks from other tools into results/frontend.json
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(PYTHON_VENV) -m tests.peers.bench_frontend \
		--out results/frontend.json

apps: $(READY) ## run all experiments on the six applications into results/apps.json: hours, resumable [APPS=]
	@$(VENV)/bin/axnn experiments $(APPS) --folder build/apps --processes 2
	@$(PYTHON_VENV) -m sim.check_apps --folder build/apps $(APPS)
	@$(VENV)/bin/axnn collect $(APPS) --folder build/apps --out $(APPS_OUT)

apps-smoke: $(READY) ## run every kind of experiment once, on the small digits: three minutes
	@$(MAKE) --no-print-directory apps APPS=digits8x8 APPS_OUT=build/apps-smoke.json

tables: $(READY) ## write the tables of README and docs from results/
	@$(PYTHON_VENV) -m docs.tables

waveforms: $(READY) ## simulate engines, and draw the timing diagrams of the documentation
	@$(PYTHON_VENV) -m docs.waveforms

docs: $(VENV)/ready-docs ## build the documentation site into build/site, and check its links
	@NO_MKDOCS_2_WARNING=1 $(PYTHON_VENV) -m mkdocs build --quiet --strict
	@$(PYTHON_VENV) -m docs.site.check build/site

report-check: $(VENV)/ready-browser chromium ## open a report in Chromium: figures, choices, sizes, requests
	@$(PYTHON_VENV) -m pytest tests/browser -o python_files='check_*.py'

docs-check: $(READY) ## run the tutorials and the notebook
	@$(PYTHON_VENV) -m pytest tests/docs -o python_files='check_*.py'

report: $(READY) ## show the results of `make apps` so far on one page: build/report/index.html
	@$(VENV)/bin/axnn report --folder build/apps --out build/report --engine results/energy.json

library: $(READY) ngspice ## characterise the 45 nm cell library again: about ten minutes
	@$(PYTHON_VENV) -m synth.library.characterize --out synth/tech/axnn45.lib

library-test: $(READY) ngspice ## check the cell library against SPICE
	@$(PYTHON_VENV) -m synth.library.verify
	@$(PYTHON_VENV) -m synth.library.spice_check

bitstream: $(VENV)/ready-fpga ## build a board's bitstream [BOARD= ROWS= COLS=]
	@$(VENV)/bin/qcnpe bitstream $(BOARD) $(if $(filter command,$(origin ROWS)),--rows $(ROWS)) \
		$(if $(filter command,$(origin COLS)),--cols $(COLS))

bitstreams: $(VENV)/ready-fpga ## build the bitstreams of all boards: about two hours
	@for board in $$($(PYTHON_VENV) -c 'from qcnpe.boards.catalog import BOARDS; print(*BOARDS)'); do \
		$(VENV)/bin/qcnpe bitstream $$board || exit 1; done

program: $(READY) ## load the bitstream into a board [BOARD=]
	@$(VENV)/bin/qcnpe program $(BOARD)

board-report: $(VENV)/ready-fpga ## measure the boards' bitstreams into results/fpga.json
	@$(PYTHON_VENV) -m qcnpe.boards.report --out results/fpga.json
	@$(PYTHON_VENV) -m sim.uart_throughput --out results/fpga.json
	@$(PYTHON_VENV) -m sim.board_rate --out results/fpga.json

link-sessions: $(READY) ## run 20,000 sessions of host and board over a faulty line [SESSIONS=]
	@$(if $(SESSIONS),SESSIONS=$(SESSIONS) )$(PYTHON_VENV) -m pytest -n auto -q -rP tests/qcnpe/boards -o python_files='long_*.py'

bare-metal: $(READY) ## a program in C classifies digits on a simulated autonomous engine
	@$(PYTHON_VENV) examples/bare_metal_digits.py

sim-board: $(READY) ## simulate a board to the pins of its UART, also with faults on the line
	@$(PYTHON_VENV) -m pytest tests/sim/board -o python_files='long_*.py'

fuzz: $(VENV)/ready-fuzz ## fuzz the readers of every kind of file, a minute each [KIND= SECONDS=]
	@$(PYTHON_VENV) -m tests.mutants.fuzz --seconds $(SECONDS) $(if $(KIND),--kind "$(KIND)")

release-check: $(VENV)/ready-release ## build the packages twice, install them with each extra, use them: ten minutes
	@$(PYTHON_VENV) -m pytest tests/release -o python_files='check_*.py'

lint: $(READY) ## check rules, format and types
	@$(PYTHON_VENV) -m ruff check $(CODE)
	@$(PYTHON_VENV) -m ruff format --check $(CODE)
	@$(PYTHON_VENV) -m mypy $(CODE)

format: $(READY) ## format the code and fix what ruff can fix
	@$(PYTHON_VENV) -m ruff check --fix $(CODE)
	@$(PYTHON_VENV) -m ruff format $(CODE)

clean: ## delete everything generated; .venv stays
	rm -rf build
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

# Made again, not updated: what leaves pyproject.toml must leave the environment, too. cocotb loads
# Python as a shared library, which for Debian's own Python is in a separate package.
$(READY): pyproject.toml | system-tools
	@'$(PYTHON)' -I -c '$(SUPPORTED)' 2>/dev/null || { echo >&2 "No Python 3.11 to 3.13 with venv found:" \
		"apt-get install python3 python3-venv, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON): about a minute, once"
	@'$(PYTHON)' -I -m venv --clear $(VENV)
	@$(PYTHON_VENV) -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	@$(PYTHON_VENV) -m find_libpython >/dev/null || $(call apt_install,$$($(PYTHON_VENV) -c \
		'import sys; print("libpython%d.%d" % sys.version_info[:2])'))
	@touch $@

# For targets that need one of the heavy extras: `board: $(VENV)/ready-fpga`.
$(VENV)/ready-%: $(READY)
	@echo "Installing the extra '$*': a minute or two, once"
	@$(PYTHON_VENV) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# Verilator's launcher uses Pod::Usage, which Debian's minimal perl does not have.
system-tools:
	@{ perl -MPod::Usage -e 1 && g++ --version && git --version; } >/dev/null 2>&1 || \
		$(call apt_install,perl g++ make git)

chromium:
	@{ command -v chromium && command -v chromedriver; } >/dev/null || $(call apt_install,chromium chromium-driver)

ngspice:
	@command -v ngspice >/dev/null || $(call apt_install,ngspice)

opensta:
	@command -v sta >/dev/null || $(call apt_install,opensta)

# Optional: tests that need it are skipped where it cannot be installed.
icarus:
	@command -v iverilog >/dev/null || ($(call apt_install,iverilog)) || \
		echo >&2 "Tests that run the emitted Verilog in Icarus Verilog are skipped"

# Installs as root; otherwise prints one line with the command to run.
define apt_install
{ if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	echo "Installing $(1)"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends $(1) >/dev/null; \
else \
	echo >&2 "Missing on this machine: apt-get install $(1)"; exit 1; \
fi; }
endef
