"""The chorales of J. S. Bach that come with music21, a corpus that needs no download.

The corpus has all 371 chorales of Riemenschneider's edition, in its order. Twenty-one of them repeat the
score of another number; they are kept, as in the edition, and the split keeps copies together. All voices
are merged onto one keyboard, including instruments that double the choir.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import IO, Any

import numpy as np

from zoo.data.options import Options
from zoo.data.piece import SourcePiece
from zoo.data.source import DataSource
from zoo.errors import DataError, Problem
from zoo.music.grid import GRID
from zoo.music.meter import Meter, TimeSignature
from zoo.music.roll import Roll
from zoo.parts.piano import KEYS

NAME = "bach"
PIECES = 371
PLANES = frozenset({"onset", "sounding"})
MAX_PROCESSES = 4


def source(options: Options) -> DataSource:
    """The chorales as a source; they are read again when the version of music21 changes.

    Raises:
        DataError: music21 is not installed.
    """
    try:
        music21_version = version("music21")
    except PackageNotFoundError as error:
        hint = "pip install 'polyzoo[data]', or use a folder of MIDI files"
        raise DataError(
            Problem("the chorales come with music21, which is not installed", NAME, hint)
        ) from error
    grid = options.grid or GRID
    return DataSource(
        name=NAME,
        planes=PLANES,
        grid=grid,
        size=PIECES,
        read=lambda: _read(grid),
        place=NAME,
        state=music21_version,
        options=options,
    )


def _read(grid: int) -> Iterator[SourcePiece]:
    from music21.corpus import chorales

    titles = list(chorales.Iterator(returnType="filename"))
    scores = _scores(list(dict.fromkeys(titles)), grid)
    rolls_by_title: dict[str, list[Roll]] = {}
    for number, title in enumerate(titles, start=1):
        if title not in rolls_by_title:
            rolls_by_title[title] = [_roll(score) for score in next(scores)]
        roll, *sixteenths = rolls_by_title[title]
        name = f"{number:03} {title.removeprefix('bach/')}"
        yield SourcePiece(name, roll, default_roll=sixteenths[0] if sixteenths else None)


def _scores(titles: Sequence[str], grid: int) -> Iterator[list[dict[str, Any]]]:
    """The scores in the order of the titles, each on the given grid and, if that differs, on sixteenths.

    The titles are distributed round-robin over a few subprocesses. `multiprocessing` is not used because it
    would either run the caller's script again (spawn) or copy a process with running threads (fork).
    """
    count = min(os.cpu_count() or 1, MAX_PROCESSES)
    with tempfile.TemporaryFile("w+") as errors, ExitStack() as running:
        readers = [running.enter_context(_reader(titles[i::count], grid, errors)) for i in range(count)]
        for number in range(len(titles)):
            line = next(readers[number % count], None)
            if line is None:
                errors.seek(0)
                reason = (errors.read().splitlines() or ["no reason given"])[-1]
                raise DataError(
                    Problem(f"music21 cannot read {titles[number]}: {reason}", NAME, "reinstall music21")
                )
            yield json.loads(line)


@contextmanager
def _reader(titles: Sequence[str], grid: int, errors: IO[str]) -> Iterator[Iterator[str]]:
    """Yield the output lines of a process that reads these scores; it is killed when the block ends."""
    command = [sys.executable, "-P", "-m", "zoo.data.chorale", str(grid), *titles]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def _roll(score: dict[str, Any]) -> Roll:
    """Merge all voices onto one keyboard.

    A key sounds while any voice holds it, and is pressed wherever a voice starts a note on it.
    """
    onset = np.zeros((score["frames"], KEYS), np.bool_)
    sounding = np.zeros_like(onset)
    for start, end, key, tied in score["tones"]:
        sounding[start:end, key] = True
        onset[start, key] |= not tied
    # The edition contains a few ties to notes that were never struck; a key cannot sound without an onset.
    onset[1:] |= sounding[1:] & ~sounding[:-1]
    onset[0] |= sounding[0]
    changes = tuple(TimeSignature(*change) for change in score["meter"])
    return Roll(onset, sounding, meter=Meter(score["grid"], changes))
