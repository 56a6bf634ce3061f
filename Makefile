# `make demo` and `make test` need only Python 3.11 and make; each sets up its environment.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install --constraint constraints.txt

.PHONY: demo test versions speed stress check docs site format sbom clean

# Music of a pretrained model within seconds. Then the main workflow on Bach's chorales: train two models (two
# minutes in all), compare them with the floors, and generate music.
RECIPE := train.optimizer=adamw train.warmup=50 train.schedule=cosine train.ema=0.99 train.group_by_length=true
demo: .venv/demo
	@mkdir -p demo
	@$(BIN)/zoo generate bach --seed 1 -o demo/bach.mid --picture demo/bach.png --force
	@$(BIN)/zoo train baseline sampler.objective=bound decoder.objective=conditional \
	  data=bach $(RECIPE) train.minutes=1.25 -o demo/baseline --resume
	@$(BIN)/zoo train decoder=rbm attention=hierarchical sampler.objective=bound \
	  data=bach $(RECIPE) train.minutes=0.75 -o demo/rbm --resume
	@$(BIN)/zoo evaluate demo/baseline/bundle demo/rbm/bundle data=bach
	@$(BIN)/zoo generate demo/baseline/bundle --seed 1 -o demo/baseline.mid --picture demo/baseline.png --force
	@$(BIN)/zoo generate demo/rbm/bundle --seed 1 -o demo/rbm.mid --picture demo/rbm.png --force
	@echo
	@echo "The trained models are in demo/*/bundle, their music in demo/*.mid and its pictures in demo/*.png."
	@echo "Next:  $(BIN)/zoo report bach demo/baseline demo/rbm -o demo/listen.html"
	@echo "       $(BIN)/zoo generate demo/baseline/bundle --seed 2 -o demo/more.mid"
	@echo "       $(BIN)/zoo build core=@demo/rbm decoder=@demo/baseline -o demo/swapped"
	@echo "       $(BIN)/zoo train strong data=FOLDER_OF_MIDI_FILES train.minutes=10 -o my_run"
	@echo "       $(BIN)/zoo list"

test: .venv/dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

# The package in empty environments, with the oldest and the newest Python and packages; downloads several GB.
versions: .venv/dev
	@$(BIN)/nox

# The speed of training, generation, scoring and reading; in brackets, relative to the fastest of the group.
# `make speed SPEED=--benchmark-json=speed.json` writes all measurements to a file.
speed: .venv/dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest benchmarks/speed -q --benchmark-columns=median,min,rounds \
	  --benchmark-group-by=group --benchmark-sort=min $(SPEED)

# The bars of reliability at full size, hours; `make stress MINUTES=10` for a taste, BARS="R5 R12" for some.
# tests/stress/RESULTS.md has a line for each.
stress: .venv/dev
	@$(BIN)/python tests/stress/run.py "$(MINUTES)" $(BARS)

check: .venv/dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python docs/make.py --check

# Regenerate the tables, settings and outputs in the documents.
docs: .venv/dev
	@$(BIN)/python docs/make.py

# The documents as pages with search, in build/site; warnings are errors.
site: .venv/dev
	@OMP_NUM_THREADS=1 $(BIN)/python docs/make_site.py build/site
	@echo "build/site/index.html"

format: .venv/dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# What the environment consists of, as CycloneDX.
sbom: .venv/demo
	@mkdir -p build
	@$(BIN)/python tests/dependencies/sbom.py build/polyzoo.cdx.json
	@echo build/polyzoo.cdx.json

clean:
	rm -rf .venv demo build dist *.egg-info

# torch first and pinned: otherwise pip resolves a version range to a CUDA build of several GB.
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
