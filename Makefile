# `make demo` and `make test` work on a fresh machine with Python 3.11 and make; each sets up what it needs.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install --constraint constraints.txt

.PHONY: demo test check docs format clean

# The main job on Bach's chorales: train for two minutes, compare with the floors, write music.
demo: .venv/demo
	@$(BIN)/zoo train baseline data=bach train.minutes=2 -o demo/run --resume
	@$(BIN)/zoo evaluate demo/run/bundle data=bach
	@$(BIN)/zoo generate demo/run/bundle --frames 256 --seed 1 -o demo/music.mid --picture demo/music.png
	@echo
	@echo "The trained model is in demo/run/bundle, its music in demo/music.mid and demo/music.png."
	@echo "Next:  $(BIN)/zoo generate demo/run/bundle --seed 2 -o demo/more.mid"
	@echo "       $(BIN)/zoo train attention=none data=bach train.minutes=2 -o demo/memoryless"
	@echo "       $(BIN)/zoo train data=FOLDER_OF_MIDI_FILES -o my_run"
	@echo "       $(BIN)/zoo list"

test: .venv/dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

check: .venv/dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python docs/make.py --check

# Tables, settings and outputs in the documents, from the parts themselves.
docs: .venv/dev
	@$(BIN)/python docs/make.py

format: .venv/dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:
	rm -rf .venv demo build dist *.egg-info

# torch first and pinned: with no torch present a version range brings a CUDA build of several GB.
.venv/torch: constraints.txt
	@echo "Setting up .venv (once; a minute or two)"
	@$(PYTHON) -m venv .venv
	@$(PIP) torch
	@touch $@

.venv/demo: .venv/torch pyproject.toml setup.py
	@$(PIP) --editable '.[data,plot]'
	@touch $@

.venv/dev: .venv/torch pyproject.toml setup.py
	@$(PIP) --editable '.[data,plot,dev]'
	@touch $@
