"""A folder of tunes, and studies so small that a cell takes seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.assembly import tables
from zoo.bench.components import components, floor_cells
from zoo.bench.reading import READING
from zoo.bench.results import Results
from zoo.bench.rows import StudyTable
from zoo.bench.stored import from_line
from zoo.bench.study import Study, read_study
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


def _hear_all() -> None:
    """Background jobs of a shell ignore SIGINT, and those of nohup SIGHUP."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


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

    def write_study(head: str = "", grid: str = "", train: str = "steps = 4", name: str = "study") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(f"{head}\n[train]\n{train}\n{BUDGET}\n[[grid]]\n{grid}\n")
        return path

    return write_study


@pytest.fixture
def study(write: Write, registry: Registry) -> Callable[..., Study]:
    """Write a study and read it."""
    return lambda *words, **more: read_study(write(*words, **more), registry)


@pytest.fixture
def tabled(study: Callable[..., Study], registry: Registry, tmp_path: Path) -> Tabled:
    """The table of a study on music of three pieces, from given results.

    `tabled(grid, core={"last": {"nats": [(1, 2, 3), (2, 3, 4)]}})` stores the nats of each piece with two
    seeds for the cores with this attention; decoders and velocities have their own names. See `learned`.
    """

    def build_table(
        grid: str,
        floors: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
        planes: Sequence[str] = ("sounding",),
        **terms: Mapping[str, Mapping[str, Any]],
    ) -> StudyTable:
        parsed, results = study('data = "tunes"\nseeds = 2', grid), Results(tmp_path / "results")
        for component in components(parsed, registry):
            name = component.recipe.parts[NAMES[component.term]].entry.name
            given = terms.get(component.term, {}).get(name)
            for seed in range(len(given["nats"]) if given else 0):
                content = learned(SCORES[component.term], seed, **given)
                content["parts"] = dict.fromkeys(component.recipe.parts, "x 1")
                content["data"]["planes"] = list(planes)
                cell = component.cell(parsed, parsed.rates[0], seed)
                results.write(cell, {"order": cell.order(""), **content})
        for counted in floor_cells(parsed) if floors is not None else ():
            content = {
                label: scored({name: score(nats) for name, nats in of.items()})
                for label, of in floors.items()
            }
            music = {"digest": "d" * 64, "planes": list(planes), "reading": READING}
            result = {"order": counted.order(""), "data": music, "floors": content, "made": {}}
            results.write(counted, result)
        (table,) = tables(parsed, results, registry)
        return table

    return build_table


def learned(
    name: str,
    seed: int,
    nats: Sequence[Sequence[float]],
    kind: str = "exact",
    variance: Sequence[Sequence[float]] | None = None,
    validation: Sequence[float] | None = None,
    escaped: Sequence[int] | None = None,
    digest: str = "d" * 64,
    **data: int,
) -> dict[str, Any]:
    """A result as it is stored. A part with the nats of a single seed has no parameters to train."""
    spread = None if variance is None else variance[seed]
    return {
        "data": {"digest": digest, "reading": READING, **data},
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


def stored_results(study: Path) -> dict[str, dict[str, Any]]:
    """File name -> stored result next to a study, without training times."""
    contents = {
        path.name: from_line(path.read_bytes()) for path in (study.parent / "results").glob("*/*.json")
    }
    return {name: {k: v for k, v in content.items() if k != "seconds"} for name, content in contents.items()}


@pytest.fixture
def bench(songs: Path) -> Iterator[Bench]:
    """Start `zoo bench run` on the tunes in a new process, which is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(study: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "zoo", "bench", "run", str(study), "--data", f"tunes={songs}"]
        process = subprocess.Popen(
            [*command, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
            preexec_fn=_hear_all,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
