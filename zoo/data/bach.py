"""The chorales of J. S. Bach that come with music21, the corpus that needs no download.

All 371 of Riemenschneider's edition, in its order. Twenty-one of them are the same score under another
number; they stay, as the edition has them, and the split keeps copies together. All voices are merged
onto one keyboard; instruments that double the choir join it.
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
from zoo.data.piece import Reading
from zoo.data.source import Source
from zoo.errors import DataError, Problem
from zoo.music.grid import GRID
from zoo.music.meter import Meter, TimeSignature
from zoo.music.roll import KEYS, Roll

NAME = "bach"
PIECES = 371
PLANES = frozenset({"onset", "sounding"})
MOST_PROCESSES = 4


def source(options: Options) -> Source:
    """The chorales, read again when music21 has another version.

    Raises:
        DataError: music21 is not installed.
    """
    try:
        edition = version("music21")
    except PackageNotFoundError as error:
        hint = "pip install 'polyzoo[data]', or name a folder of MIDI files"
        raise DataError(Problem("the chorales come with music21, which is missing", NAME, hint)) from error
    grid = options.grid or GRID
    return Source(
        name=NAME,
        planes=PLANES,
        grid=grid,
        size=PIECES,
        read=lambda: _read(grid),
        place=NAME,
        state=edition,
        options=options,
    )


def _read(grid: int) -> Iterator[Reading]:
    from music21.corpus import chorales

    titles = list(chorales.Iterator(returnType="filename"))
    scores = _scores(list(dict.fromkeys(titles)), grid)
    known: dict[str, list[Roll]] = {}
    for number, title in enumerate(titles, start=1):
        if title not in known:
            known[title] = [_roll(score) for score in next(scores)]
        roll, *sixteenths = known[title]
        name = f"{number:03} {title.removeprefix('bach/')}"
        yield Reading(name, roll, by_default=sixteenths[0] if sixteenths else None)


def _scores(titles: Sequence[str], grid: int) -> Iterator[list[dict[str, Any]]]:
    """The scores in the order of their titles, each on this grid and, if that is another, on sixteenths.

    Several processes of our own read them in turn: `multiprocessing` would either run the caller's
    script once more or copy a process whose threads are at work.
    """
    count = min(os.cpu_count() or 1, MOST_PROCESSES)
    with tempfile.TemporaryFile("w+") as errors, ExitStack() as running:
        readers = [running.enter_context(_reader(titles[i::count], grid, errors)) for i in range(count)]
        for number in range(len(titles)):
            line = next(readers[number % count], None)
            if line is None:
                errors.seek(0)
                reason = (errors.read().splitlines() or ["no reason given"])[-1]
                raise DataError(
                    Problem(f"music21 cannot read {titles[number]}: {reason}", NAME, "install music21 anew")
                )
            yield json.loads(line)


@contextmanager
def _reader(titles: Sequence[str], grid: int, errors: IO[str]) -> Iterator[Iterator[str]]:
    """Lines of a process that reads these scores, ended with the block."""
    command = [sys.executable, "-P", "-m", "zoo.data.chorale", str(grid), *titles]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def _roll(score: dict[str, Any]) -> Roll:
    """All voices on one keyboard: a key sounds while any voice holds it, and is pressed where one begins."""
    onset = np.zeros((score["frames"], KEYS), np.bool_)
    sounding = np.zeros_like(onset)
    for start, end, key, tied in score["tones"]:
        sounding[start:end, key] = True
        onset[start, key] |= not tied
    # A tie to a tone that was never struck is a slip of the edition: a sounding key was pressed once.
    onset[1:] |= sounding[1:] & ~sounding[:-1]
    onset[0] |= sounding[0]
    changes = tuple(TimeSignature(*change) for change in score["meter"])
    return Roll(onset, sounding, meter=Meter(score["grid"], changes))
