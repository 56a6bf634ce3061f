"""A folder of tunes, and studies so small that a cell takes seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.bench.assembly import tables
from zoo.bench.components import components, floor_cells
from zoo.bench.reading import READING
from zoo.bench.results import Results
from zoo.bench.rows import StudyTable
from zoo.bench.study import Study, read_study
from zoo.music.roll import Roll
from zoo.registry import Registry, open_registry

BUDGET = """\
batch = 4
frames = 16
stride = 8
past = 4
validate_every = 2
device = "cpu"
"""

Write = Callable[..., Path]
Bench = Callable[..., "subprocess.Popen[str]"]
Tabled = Callable[..., StudyTable]

FRAMES = (10, 30, 60)
"""The pieces of made-up results."""
STRUCK = (4, 6, 10)
NAMES = {"core": "attention", "decoder": "decoder", "velocity": "velocity"}
"""Term -> the slot whose part a made-up result is named by."""
SCORES = {"core": "codes", "decoder": "keys", "velocity": "velocity"}


def tune(number: int) -> Roll:
    """Two voices that climb a triad, one note every other frame; each piece another key and length."""
    frames = 24 + number
    onset = np.zeros((frames, 88), np.bool_)
    for frame in range(0, frames, 2):
        onset[frame, [20 + number + (0, 4, 7, 12)[frame // 2 % 4], 44 + number]] = True
    return Roll(onset, onset, np.where(onset, np.uint8(40 + number), np.uint8(0)))


def write_tunes(folder: Path, count: int = 10) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        tune(number).write(folder / f"{number}.mid")
    return folder


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tunes as a folder of MIDI files."""
    return write_tunes(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Temporary cache and data folders, which child processes inherit."""
    monkeypatch.setenv("ZOO_CACHE", str(cache))


@pytest.fixture(scope="session")
def registry() -> Registry:
    return open_registry()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a study to a file: `write('seeds = 2', grid='attention = "none"', train="steps = 2")`."""

    def go(head: str = "", grid: str = "", train: str = "steps = 4", name: str = "study") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(f"{head}\n[train]\n{train}\n{BUDGET}\n[[grid]]\n{grid}\n")
        return path

    return go


@pytest.fixture
def study(write: Write, registry: Registry) -> Callable[..., Study]:
    """Write a study and read it."""
    return lambda *words, **more: read_study(write(*words, **more), registry)


@pytest.fixture
def tabled(study: Callable[..., Study], registry: Registry, tmp_path: Path) -> Tabled:
    """The table of a study on music of three pieces, of results that are made up.

    `tabled(grid, core={"last": {"nats": [(1, 2, 3), (2, 3, 4)]}})` stores the nats of each piece from two
    seeds of the cores with this attention; a decoder or a velocity is named by itself. See `learned`.
    """

    def go(
        grid: str,
        floors: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
        planes: Sequence[str] = ("sounding",),
        **terms: Mapping[str, Mapping[str, Any]],
    ) -> StudyTable:
        asked, results = study('data = "tunes"\nseeds = 2', grid), Results(tmp_path / "results")
        for component in components(asked, registry):
            name = component.recipe.parts[NAMES[component.term]].entry.name
            given = terms.get(component.term, {}).get(name)
            for seed in range(len(given["nats"]) if given else 0):
                found = learned(SCORES[component.term], seed, **given)
                found["parts"] = dict.fromkeys(component.recipe.parts, "x 1")
                found["data"]["planes"] = list(planes)
                results.write(component.cell(asked, asked.rates[0], seed), found)
        for cell in floor_cells(asked) if floors is not None else ():
            found = {
                label: scored({name: score(nats) for name, nats in of.items()})
                for label, of in floors.items()
            }
            about = {"digest": "d" * 64, "planes": list(planes), "reading": READING}
            results.write(cell, {"data": about, "floors": found, "made": {}})
        (table,) = tables(asked, results, registry)
        return table

    return go


def learned(
    name: str,
    seed: int,
    nats: Sequence[Sequence[float]],
    kind: str = "exact",
    variance: Sequence[Sequence[float]] | None = None,
    validation: Sequence[float] | None = None,
    escaped: Sequence[int] | None = None,
    digest: str = "d" * 64,
    **about: int,
) -> dict[str, Any]:
    """A result as it is stored; what has the nats of one seed alone learns nothing by gradient."""
    spread = None if variance is None else variance[seed]
    return {
        "data": {"digest": digest, "reading": READING, **about},
        "evaluation": scored({name: score(nats[seed], kind, spread)}, escaped),
        "validation": None if validation is None else validation[seed],
        "learns": len(nats) > 1,
        "parameters": 1000 if len(nats) > 1 else 0,
        "seconds": 1.0,
        "made": {},
    }


def score(
    nats: Sequence[float], kind: str = "exact", variance: Sequence[float] | None = None
) -> dict[str, Any]:
    return {"kind": kind, "nats": list(nats), "variance": variance and list(variance)}


def scored(terms: Mapping[str, Any], escaped: Sequence[int] | None = None) -> dict[str, Any]:
    return {
        "pieces": [str(piece) for piece in range(len(FRAMES))],
        "frames": list(FRAMES),
        "struck": list(STRUCK) if "velocity" in terms else None,
        "terms": dict(terms),
        "remarks": {} if escaped is None else {"escaped": list(escaped)},
    }


@pytest.fixture
def bench(songs: Path) -> Iterator[Bench]:
    """Start `zoo bench run` on the tunes in a process of its own; what a test leaves running is killed."""
    started: list[subprocess.Popen[str]] = []

    def go(study: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "zoo", "bench", "run", str(study), "--data", f"tunes={songs}"]
        process = subprocess.Popen(
            [*command, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
            # Tests that run in the background may have been told not to hear Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield go
    for process in started:
        process.kill()
        process.communicate()
