# Everything starts here, from Python 3.11 or newer with pip and venv, and make.
#
#   make demo     grade a sample class and say where to look
#   make install  what grading needs, in .venv
#   make develop  that and what tests need
#   make test     the kit's own tests
#   make site     a gallery of the course, in build/site
#   make pictures the README's pictures, drawn anew
#   make gpu      what a machine with a GPU makes of it: docs/gpu.md
#
# Variables: TORCH_INDEX=URL is the package index to take torch from. On Linux pip's torch brings CUDA, some 5 GB; PyTorch's
# index of CPU builds (named on pytorch.org under "Start locally") makes the whole environment 1.4 GB, and 1.9 GB with what tests need.
# SYSTEM=1 uses the torch, and whatever else, that PYTHON has already: in a GPU image, say.
#
# A worker runs as another user, who must be able to read the interpreter and its packages. So the system's Python is
# preferred to one in somebody's home, and where this folder is closed to others the environment is made in /var/tmp.

SHELL := /bin/sh
.DEFAULT_GOAL := help
umask := umask 022 &&

PYTHON ?= $(firstword $(foreach python,/usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3,\
	$(shell $(python) -c 'import sys, venv, ensurepip; sys.version_info >= (3, 11) and print("$(python)")' 2>/dev/null)))

closed := $(shell if [ "$$(id -u)" = 0 ]; then d='$(CURDIR)'; while [ "$$d" != / ]; do \
	[ -n "$$(find "$$d" -maxdepth 0 -perm -o=x)" ] || echo yes; d=$$(dirname "$$d"); done; fi)
VENV ?= $(if $(closed),/var/tmp/gradkit-$(shell printf '%s' '$(CURDIR)' | cksum | cut -d' ' -f1),.venv)
EDITABLE := $(if $(closed),,-e)
SOURCES := $(if $(closed),$(shell find autograder shared -type f -name '*.py'))
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed
CONSTRAINTS ?= constraints.txt

# With SYSTEM=1 the torch that is there counts, whatever its version.
PIP = $(umask) $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	-c $(if $(SYSTEM),$(VENV)/constraints.txt,$(CONSTRAINTS))

.PHONY: help install develop demo test verify build site pictures bench gpu gpu-wheels clean

help:
	@sed -n '3,14s/^# \{0,1\}//p' Makefile

install: $(INSTALLED)

develop: $(DEVELOPED)

$(INSTALLED): pyproject.toml constraints.txt $(SOURCES)
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer with venv is needed: install it, or give make PYTHON=/path/to/python3" >&2; exit 2; }
	@echo "Installing what grading needs into $(VENV): a few minutes, 1.4 GB with a CPU build of torch (TORCH_INDEX in the Makefile says how)."
	@$(umask) test -x $(BIN)/python || $(PYTHON) -m venv $(if $(SYSTEM),--system-site-packages) $(VENV)
	@$(if $(SYSTEM),grep -v '^torch==' $(CONSTRAINTS) >$(VENV)/constraints.txt)
	@$(PIP) $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)') torch
	@$(PIP) $(EDITABLE) .
	@touch $@

$(DEVELOPED): $(INSTALLED)
	@echo "Installing what tests need too: 0.5 GB more."
	@$(PIP) $(EDITABLE) '.[dev]'
	@touch $@

# Some of the class can't be graded, as in life: then grade exits with 1.
demo: install
	@rm -rf build/sample_class build/demo
	@$(BIN)/python tests/sample_class.py build/sample_class attention bpe
	@for id in attention bpe; do echo; \
		$(BIN)/gradkit grade $$id build/sample_class/$$id.zip --out build/demo/$$id --jobs 2 || [ $$? -eq 1 ] || exit 2; \
		$(BIN)/gradkit report build/demo/$$id || exit 2; done

test: develop
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/gradkit build --check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q tests

verify: install
	$(BIN)/gradkit verify

build: install
	$(BIN)/gradkit build

site: install
	$(BIN)/gradkit site --out build/site

pictures: install
	$(BIN)/python docs/pictures/draw.py

bench: develop
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/grading.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/regrading.py

# On the machine with the GPU, where nothing can be fetched: the Python that has torch. `make gpu GPU="--only timer"`.
GPU_PYTHON ?= python3
gpu:
	@$(GPU_PYTHON) tests/gpu/run.py $(GPU)

# Elsewhere, for the Python and the processor of that machine.
GPU_PYTHON_VERSION ?= 3.12
GPU_MACHINE ?= x86_64
gpu-wheels: develop
	@$(BIN)/python tests/gpu/wheels.py build/gpu-wheels --python $(GPU_PYTHON_VERSION) --machine $(GPU_MACHINE)

clean:
	rm -rf build .pytest_cache .hypothesis
