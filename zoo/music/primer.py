"""Primers: bars of a MIDI file that a model continues."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from numbers import Integral
from pathlib import Path

from zoo.errors import DataError, Problem, UsageError
from zoo.music.grid import GRID, Pedal
from zoo.music.midi import Reading, examine_midi
from zoo.music.roll import Roll


def bar_range(text: str) -> tuple[int, int]:
    """Parse a range of bars: `4` for the first four bars, or `9-12`.

    Raises:
        UsageError: the text has another format.
    """
    match = re.fullmatch(r"(?:(\d{1,6})-)?(\d{1,6})", text)
    first, last = (int(match[1] or 1), int(match[2])) if match else (0, 0)
    if not 1 <= first <= last:
        what = f"{text!r} is not a range of bars"
        raise UsageError(Problem(what, "--primer-bars", "write 4 for the first four bars, or 9-12"))
    return first, last


def check_bars(bars: object, has_primer: bool) -> None:
    """Check a range of bars that is not typed on the command line.

    Raises:
        UsageError: it is not a pair of integers from 1 on in rising order, or there is no primer.
    """
    if bars is None:
        return
    pair = bars if isinstance(bars, tuple | list) and len(bars) == 2 else (0, 0)
    if not (all(isinstance(bar, Integral) for bar in pair) and 1 <= pair[0] <= pair[1]):
        hint = "pass the first and the last bar, such as (1, 4) or (9, 12)"
        raise UsageError(Problem(f"{bars!r} is not a range of bars", "primer_bars", hint))
    if not has_primer:
        raise UsageError(Problem("there is no primer", "primer_bars", "pass a primer as well"))


def read_primer(
    path: str | Path,
    *,
    grid: int = GRID,
    pedal: Pedal = "keep",
    tracks: Collection[str] = (),
    bars: tuple[int, int] | None = None,
) -> Roll:
    """Read a MIDI file, or some of its bars, as a primer; a rest at its end is kept.

    Args:
        path: the file.
        grid: frames per quarter note of the model, 1 to 48.
        pedal: `keep` ends a note when its key is released, `hold` when the sustain pedal is.
        tracks: titles of the tracks to read; all tracks by default.
        bars: first and last bar, numbered as in scores; all bars by default.

    Raises:
        MidiError: the file cannot be read; see `zoo.music.midi.read_midi`.
        DataError: the file has fewer bars.
        UsageError: the grid is invalid.
    """
    return primer_of(examine_midi(path, tracks=tracks, grid=grid, pedal=pedal), path, bars)


def primer_of(reading: Reading, path: str | Path, bars: tuple[int, int] | None = None) -> Roll:
    """A MIDI file that was read, or some of its bars, as a primer; a rest at its end is kept.

    Args:
        reading: what was read.
        path: the file, for errors.
        bars: first and last bar, numbered as in scores; all bars by default.

    Raises:
        DataError: the file has fewer bars.
    """
    whole = reading.roll.padded(reading.end)
    if bars is None:
        return whole
    try:
        return whole.bars(*bars)
    except DataError as error:
        raise DataError(*(replace(problem, where=str(path)) for problem in error.problems)) from None
