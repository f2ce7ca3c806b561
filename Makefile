# Two commands do all that they need by themselves: `make demo` and `make test`. The rest is for those who work here.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# an interpreter to make .venv with, and the one that `make inplace` builds for
BASE_PYTHON ?=
PYTHON ?= $(BIN)/python
# a package index that lists the build of torch you want; see README
TORCH_INDEX ?=
# AUTO: where nvcc and a device are; ON: always; OFF: never
FORENSIC_CUDA ?= AUTO
K ?= *
# processes of `make test`
JOBS ?= 2
# osma-mini, for the benches of training
DATA ?= ../shared/osma-mini
ARGS ?=

# each module is compiled once, not in each of the hundreds of processes that the tests start
export PYTHONDONTWRITEBYTECODE :=

SOURCES := CMakeLists.txt $(wildcard csrc/*)

.PHONY: help setup demo test slow soak csrc-test test-cuda cuda-check lint format bench bench-check bench-scan bench-train \
  bench-train-full bench-report bench-case mutate gold inplace wheelhouse clean

help:  ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.built  ## .venv with everything in it, and the kernels built; done once

demo: setup  ## scan the sample images into report.html
	@$(BIN)/forensic scan tests/samples --format table --report report.html
	@echo "Now open report.html in a browser."

test: setup  ## the tests, six to eleven minutes on two cores
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)  # a core a process

slow: setup  ## the tests that take minutes
	@$(BIN)/python tests/cuda_on_cpu.py  # beforehand: a test's time is limited
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "slow and not cuda" --numprocesses $(JOBS) --dist load --maxschedchunk 1 $(ARGS)

soak: setup  ## the long forms: many kills, many mutations, thousands of files
	@$(BIN)/python -m pytest tests -m soak $(ARGS)

test-cuda:  ## what needs a CUDA device, with the interpreter PYTHON
	@$(PYTHON) -m pytest tests -m cuda -p no:benchmark $(ARGS)  # a plugin that may be there, and warns of our own processes

csrc-test:  ## the C++ tests under address, undefined-behaviour and thread sanitizers
	@bash tests/csrc/run.sh

cuda-check: setup  ## compile the CUDA kernels for every architecture; needs nvcc, no device
	@cmake=$(BIN)/cmake
	$$cmake -S . -B build/cuda-check -G Ninja -DCMAKE_BUILD_TYPE=Release -DFORENSIC_CUDA=ON \
	  -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python
	$$cmake --build build/cuda-check --parallel 2

lint: setup  ## every check that reads the code instead of running it
	@$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	clang-format --dry-run -Werror $$(git ls-files 'csrc/*.h' 'csrc/*.cpp' 'csrc/*.cu' 'csrc/*.cuh' 'tests/csrc/*.cpp' 'tests/csrc/*.cu' 'tests/csrc/*.h' 'tests/bench/*.cpp')
	clang-tidy --quiet -p build/inplace $$(git ls-files 'csrc/*.cpp')

format: setup  ## put the code into the form that lint asks for
	@$(BIN)/ruff format
	$(BIN)/ruff check --fix
	clang-format -i $$(git ls-files 'csrc/*.h' 'csrc/*.cpp' 'csrc/*.cu' 'csrc/*.cuh' 'tests/csrc/*.cpp' 'tests/csrc/*.cu' 'tests/csrc/*.h' 'tests/bench/*.cpp')

bench: setup  ## kernels beside their rivals, equality first, one table; K=dct for one, ARGS="--all --json docs/bench"
	@$(BIN)/python tests/bench/run.py --kernel '$(K)' $(ARGS)

bench-check: setup  ## the same, held against the figures recorded for this processor in docs/bench
	@$(BIN)/python tests/bench/run.py --kernel '$(K)' --check docs/bench $(ARGS)

mutate: setup  ## faults put into the C++ of a copy, one at a time: a test must see each; a quarter of an hour
	@$(BIN)/python tests/csrc/mutate.py $(ARGS)

bench-scan: setup  ## a scan of 300 JPEGs beside its parts alone: time and memory; ten minutes
	@$(BIN)/python tests/bench/bench_scan.py $(ARGS)

bench-train: setup  ## a training step beside plain torch, and the time to a quality; ten minutes on two cores
	@$(BIN)/python tests/bench/bench_train.py --data $(DATA) $(ARGS)

bench-report: setup  ## a report of 100,000 findings in Chromium: load, filters, memory; ten minutes
	@$(BIN)/python tests/bench/bench_report.py $(ARGS)

bench-case: setup  ## a case of 1,000,000 findings: opened, read, exported, checked; a scan with a case and without; half an hour
	@$(BIN)/python tests/bench/bench_case.py $(ARGS)

bench-train-full: setup  ## the same after training both recorded curves anew; hours
	@for name in reference forensic forensic-bfloat16; do
	  set=
	  case $$name in forensic) set="--set precision=float32" ;; *-bfloat16) set="--set precision=bfloat16" ;; esac
	  if [ -e runs/bench-$$name ]; then begin="--resume runs/bench-$$name"; else \
	    begin="--data $(DATA) --recipe $${name%-bfloat16} $$set --seed 0 --out runs/bench-$$name"; fi
	  $(BIN)/forensic train $$begin
	  grep val_accuracy runs/bench-$$name/losses.jsonl > docs/runs/$$name.jsonl
	done
	$(BIN)/python tests/bench/bench_train.py --data $(DATA) $(ARGS)

gold: setup  ## renew the recorded outputs in tests/gold; read the diff before you commit it
	@$(BIN)/python -m pytest tests --renew-gold $(ARGS)

inplace:  ## build the kernels into the source tree with cmake alone, for the interpreter PYTHON
	@bash csrc/build.sh "$(PYTHON)" "$(FORENSIC_CUDA)"

wheelhouse: setup  ## all wheels for an installation without a network, in wheelhouse/
	@$(BIN)/python -m pip wheel --no-build-isolation --wheel-dir wheelhouse \
	  --constraint requirements/torch.txt --constraint requirements/dev.txt .

clean:  ## remove what was built, but not .venv
	@rm -rf build wheelhouse dist forensic/*.so $(VENV)/.built

$(VENV)/.installed: requirements/torch.txt requirements/dev.txt pyproject.toml
	@base="$(BASE_PYTHON)"
	for candidate in python3 python3.11 python3.12 python3.13; do
	  if [ -z "$$base" ] && $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
	    base=$$candidate
	  fi
	done
	if [ -z "$$base" ]; then echo "Python 3.11, 3.12 or 3.13 is missing: apt-get install python3" >&2; exit 1; fi
	if ! $$base -c 'import ensurepip, venv' 2>/dev/null; then
	  echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1
	fi
	[ -x $(BIN)/python ] || $$base -m venv $(VENV)
	pip="$(BIN)/python -m pip --disable-pip-version-check -qq"
	$$pip install --upgrade pip
	echo "installing torch (the CPU build where pip finds one) ..."
	$$pip install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) --requirement requirements/torch.txt
	echo "installing the rest ..."
	skip='^$$'  # opencv-python, where it is already there, serves as well: both write the same folder
	if $(BIN)/python -m pip show --quiet opencv-python 2>/dev/null; then skip='^opencv-python-headless=='; fi
	$$pip install --requirement <(grep -v "$$skip" requirements/dev.txt)
	$$pip install --no-build-isolation --no-deps -C wheel.cmake=false -C editable.mode=inplace --editable .
	touch $@

$(VENV)/.built: $(VENV)/.installed $(SOURCES)
	@echo "building the kernels ..."
	$(MAKE) --no-print-directory inplace PYTHON=$(BIN)/python
	touch $@
