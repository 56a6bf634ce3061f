"""Fixtures that several folders of tests share: one thread for torch, music, and the reference data."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from zoo.data import Corpus

# Small tensors on few cores: more threads only wait for each other. Set before anything imports torch,
# and inherited by the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
# A shell that starts the tests in the background lets them ignore Ctrl-C, which tests send to processes.
signal.signal(signal.SIGINT, signal.default_int_handler)
# pytest-xdist passes the width of the terminal to its workers; commands would wrap their lines at it.
os.environ.pop("COLUMNS", None)


@pytest.fixture(autouse=True)
def as_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands print as in a pipe, whatever the width of the terminal in which `make test` runs."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def environment_of_its_own() -> Iterator[None]:
    """Switches such as --local set environment variables, which would hold for later tests in the process."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def rng() -> Any:
    """A torch generator with a fixed seed."""
    import torch

    return torch.Generator().manual_seed(1)


@pytest.fixture(scope="session")
def resident() -> Callable[[], int]:
    """A function that measures the resident memory of this process in bytes."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("resident memory is only available on Linux")
    return lambda: int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data next to the repository; tests that use it are skipped without it."""
    named = os.environ.get("ZOO_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; ZOO_SHARED names another place")
    return folder


@pytest.fixture(scope="session")
def chorales(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The chorales of music21, which take half a minute to read; one process of a test session reads them."""
    pytest.importorskip("music21", reason="the chorales need the extra `data`")
    from filelock import FileLock

    from zoo.data import open_corpus

    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "chorales"
    with pytest.MonkeyPatch.context() as patch, FileLock(f"{cache}.lock"):
        patch.setenv("ZOO_CACHE", str(cache))
        return open_corpus("bach")


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ten MIDI files: a rising triad over a steady note, each in another key."""
    import numpy as np

    from zoo.music.roll import Roll

    folder = tmp_path_factory.mktemp("songs")
    for number in range(10):
        onset = np.zeros((24 + number, 88), np.bool_)
        for frame in range(0, len(onset), 2):
            onset[frame, [20 + number + (0, 4, 7, 12)[frame // 2 % 4], 44 + number]] = True
        velocity = np.where(onset, np.uint8(40 + number), np.uint8(0))
        Roll(onset, onset, velocity).write(folder / f"{number}.mid")
    return folder


@pytest.fixture
def tune() -> Callable[[int, int], Any]:
    """Make a roll of one note per frame on random keys, which is fast to write and read as MIDI."""
    import numpy as np

    from zoo.music.roll import Roll

    def make(seed: int, frames: int) -> Roll:
        keys = np.random.default_rng(seed).integers(88, size=frames)
        onset = np.eye(88, dtype=np.bool_)[keys]
        velocity = np.where(onset, np.uint8(1 + seed % 127), np.uint8(0))
        return Roll(onset, onset, velocity, tempo=60.0 + seed)

    return make


@pytest.fixture
def scale() -> Callable[..., Any]:
    """Make a roll of MIDI pitches, one after another, each `frames` long: `scale(60, 62, frames=4)`."""
    import numpy as np

    from zoo.music.roll import Notes, Roll
    from zoo.parts.piano import LOWEST_KEY

    def make(*pitches: int, frames: int = 4, velocity: int = 80, **options: Any) -> Roll:
        start = np.arange(len(pitches), dtype=np.int64) * frames
        key = np.array(pitches, np.int64) - LOWEST_KEY
        notes = Notes(start, start + frames, key, np.full(len(pitches), velocity, np.uint8))
        return Roll.from_notes(notes, **options)

    return make


@pytest.fixture
def page_data() -> Callable[[str], Any]:
    """Extract the embedded pieces from the HTML of a page of `zoo report`."""

    def read(text: str) -> Any:
        match = re.search(r'<script type="application/json" id="pieces">(.*?)</script>', text, re.S)
        assert match
        return json.loads(match[1])

    return read
