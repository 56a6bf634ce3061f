"""A folder of tunes, and studies so small that a cell takes seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

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
    """Nothing is kept where a user keeps it; processes that a test starts inherit this."""
    monkeypatch.setenv("ZOO_CACHE", str(cache))


@pytest.fixture(scope="session")
def registry() -> Registry:
    return open_registry()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A study in a file: `write('seeds = 2', grid='attention = "none"', train="steps = 2")`."""

    def go(head: str = "", grid: str = "", train: str = "steps = 4", name: str = "study") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(f"{head}\n[train]\n{train}\n{BUDGET}\n[[grid]]\n{grid}\n")
        return path

    return go


@pytest.fixture
def study(write: Write, registry: Registry) -> Callable[..., Study]:
    """As `write`, and read."""
    return lambda *words, **more: read_study(write(*words, **more), registry)


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
