"""docs/make.py in an empty folder, and studies with made-up results."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from zoo.bench.cell import Cell
from zoo.bench.components import components, floor_cells
from zoo.bench.reading import READING
from zoo.bench.results import Results
from zoo.bench.study import read_study
from zoo.registry import open_registry

ROOT = Path(__file__).resolve().parents[2]
PIECES = 12
Fill = Callable[..., None]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, working on the documents of an empty folder."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "make", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "PARTS", tmp_path / "docs" / "parts.md")
    return module


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A study of two attentions and two decoders on two datasets."""
    file = tmp_path / "trial.toml"
    file.write_text(
        'data = ["here", "there"]\nseeds = 3\n[train]\nsteps = 2\n[[grid]]\n'
        'attention = ["none", "lags"]\nsampler = "independent"\ndecoder = "uniform"\n'
    )
    return file


@pytest.fixture
def fill(trial: Path) -> Fill:
    """Store results of the study on some music: `fill("here", none=2.0, lags=1.5)` in nats per frame."""

    def store(data: str, reading: int = READING, **nats: float) -> None:
        registry = open_registry()
        study, results = read_study(trial, registry), Results(trial.parent / "results")
        for component in components(study, registry):
            name = component.recipe.parts["attention"].entry.name
            if component.data != data or (component.term == "core" and name not in nats):
                continue
            seeds = range(study.settings.seeds if component.term == "core" else 1)
            for cell in (component.cell(study, study.rates[0], seed) for seed in seeds):
                results.write(cell, _result(cell, nats.get(name, 0.0), reading))
        for floors in floor_cells(study):
            if floors.data == data:
                evaluation = _evaluation(_nats(9.0, 0), "codes", "keys", "residual")
                content = {"data": _data(data, reading), "floors": {"rates": evaluation}, "made": {}}
                results.write(floors, {"order": floors.order(""), **content})

    return store


def _nats(mean: float, seed: int) -> list[float]:
    """Of each piece of 100 frames; pieces differ, and seeds a little."""
    chance = np.random.default_rng(seed)
    return [100 * mean + 40 * piece + float(chance.normal()) for piece in range(PIECES)]


def _evaluation(nats: list[float], *terms: str) -> dict[str, Any]:
    each = {"kind": "exact", "variance": None}
    return {
        "pieces": [str(piece) for piece in range(PIECES)],
        "frames": [100] * PIECES,
        "struck": None,
        "terms": {term: {"nats": nats if term == "codes" else [0.0] * PIECES, **each} for term in terms},
        "remarks": {},
    }


def _data(name: str, reading: int) -> dict[str, Any]:
    return {"name": name, "digest": "d" * 64, "planes": ["onset", "sounding"], "reading": reading}


def _result(cell: Cell, mean: float, reading: int) -> dict[str, Any]:
    is_core = cell.term == "core"
    terms = ("codes", "residual") if is_core else ("keys",)
    return {
        "order": cell.order(""),
        "data": _data(cell.data, reading),
        "evaluation": _evaluation(_nats(mean, cell.seed), *terms),
        "validation": mean if is_core else None,
        "curve": [[1, mean + 1 + cell.seed], [2, mean + cell.seed]] if is_core else [],
        "learns": is_core,
        "parameters": 1000,
        "seconds": 1.0,
        "parts": dict.fromkeys(("encoder", "attention", "sampler", "decoder", "velocity"), "x"),
        "made": {},
    }
