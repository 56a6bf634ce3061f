"""Primers: the bars of a MIDI file that new music goes on from."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from zoo.errors import DataError, Problem, UsageError
from zoo.music.grid import GRID, Pedal
from zoo.music.midi import read_midi
from zoo.music.roll import Roll


def bar_range(text: str) -> tuple[int, int]:
    """The first and the last bar of `4`, the first four, or `9-12`.

    Raises:
        UsageError: it is neither.
    """
    found = re.fullmatch(r"(?:(\d{1,6})-)?(\d{1,6})", text)
    first, last = (int(found[1] or 1), int(found[2])) if found else (0, 0)
    if not 1 <= first <= last:
        what = f"{text!r} is no range of bars"
        raise UsageError(Problem(what, "--primer-bars", "write 4 for the first four, or 9-12"))
    return first, last


def read_primer(
    path: str | Path,
    *,
    grid: int = GRID,
    pedal: Pedal = "keep",
    tracks: Collection[str] = (),
    bars: tuple[int, int] | None = None,
) -> Roll:
    """A MIDI file, or some of its bars, as music to go on from; a rest at its end is kept.

    Args:
        path: the file.
        grid: frames to a quarter note, 1 to 48; that of the model.
        pedal: `keep` ends a note where its key is released, `hold` where the sustain pedal rises.
        tracks: titles of the tracks to read; all tracks where none is named.
        bars: the first and the last, as scores number them; all bars if nothing is said.

    Raises:
        MidiError: the file cannot be read; as `zoo.music.midi.read_midi`.
        DataError: the file has fewer bars.
        UsageError: there is no such grid.
    """
    whole = read_midi(path, tracks=tracks, grid=grid, pedal=pedal, rest=True)
    if bars is None:
        return whole
    try:
        return whole.bars(*bars)
    except DataError as error:
        raise DataError(*(replace(problem, where=str(path)) for problem in error.problems)) from None
