"""Pieces as lists of frames, each a list of the MIDI pitches that sound: the layout of published files.

    {"train": [[[60, 64, 67], [60, 64, 67], []], ...], "valid": [...], "test": [...]}

Boulanger-Lewandowski's pickles have it, and so has the JSB-Chorales-dataset, where a voice at rest is -1
or not a number in the files that keep the voices apart; strict JSON has null for the latter, and 0 is taken
for a rest too. The validation pieces may be called `validation` or `val`, or be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.piece import Reading, Skipped
from zoo.data.split import SPELLINGS, SPLITS, Split
from zoo.data.unpickle import Refused, unpickle
from zoo.errors import DataError, Problem
from zoo.music.meter import COMMON_TIME, Meter
from zoo.music.roll import KEYS, LOWEST_KEY, Roll

PICKLES = (".pickle", ".pkl")
LARGEST = 16 * 2**20
"""Bytes of a file; the largest published one has 9 million."""
MOST_PIECES, MOST_FRAMES, MOST_PITCHES = 2**15, 2**21, 2**23
"""In a file; the largest published ones have 1,000 pieces, 0.4 million frames and 2 million pitches."""

RESTS = (0, -1)
"""Numbers that stand for a rest; 0 is a MIDI pitch that no piano has."""
NO_FRAME, SILENT = "it has no frame", "nothing sounds in it"
"""Why pieces are skipped."""
OUTSIDE = "outside the 88 keys"
"""Why pitches are left out."""


def read_pitches(path: Path, meter: Meter = COMMON_TIME) -> Iterator[Reading | Skipped]:
    """The pieces of a .pickle or .json file of frames, which cannot make anything run.

    Pitches outside the keyboard are left out and counted. Pieces in which nothing sounds are skipped.

    Args:
        path: the file.
        meter: what its frames are; the file does not say.

    Raises:
        DataError: the file holds something else, more than the limits, or cannot be read.
    """
    content = _load(path)
    frames = pitches = 0
    for split, title, piece in _pieces(content, path):
        rows = _frames(piece)
        if rows is None:
            raise _foreign(path, f"`{title}` is not a list of frames")
        frames += len(rows)
        pitches += sum(map(len, rows))
        if frames > MOST_FRAMES or pitches > MOST_PITCHES:
            raise _foreign(path, f"up to `{title}` there are {frames} frames and {pitches} pitches, too many")
        sounding, outside = _sounding(rows, title, path)
        losses = {OUTSIDE: outside} if outside else {}
        if sounding.any():
            roll = Roll(None, sounding, meter=meter)
            yield Reading(title, roll, split, meter_from="assumed", losses=losses)
        else:
            why = SILENT if rows else NO_FRAME
            yield Skipped(title, f"{why} ({outside} {OUTSIDE})" if outside else why)


def _pieces(content: Any, path: Path) -> Iterator[tuple[Split, str, Any]]:
    """Split, title and frames of each piece."""
    lists: list[tuple[Split, str, Sequence[Any]]] = []
    for split in SPLITS:
        names = SPELLINGS[split]
        table = content if isinstance(content, Mapping) else {}
        name = next((name for name in names if name in table), names[0])
        if isinstance(table.get(name), list | tuple):
            lists.append((split, name, table[name]))
        elif name in table or split != "valid":
            raise _foreign(path, f"it has no list of pieces called `{name}`")
    if sum(len(pieces) for _, _, pieces in lists) > MOST_PIECES:
        raise _foreign(path, f"it has more than {MOST_PIECES} pieces")
    for split, name, pieces in lists:
        for number, piece in enumerate(pieces):
            yield split, f"{name} {number}", piece


def _frames(piece: Any) -> list[Sequence[Any]] | None:
    """The frames of a piece, each a list of pitches; None where it is something else.

    A rest may stand for a whole frame.
    """
    if not isinstance(piece, list | tuple):
        return None
    frames: list[Sequence[Any]] = [() if _is_rest(frame) else frame for frame in piece]
    return frames if all(isinstance(frame, list | tuple) for frame in frames) else None


def _is_rest(value: Any) -> bool:
    """Whether a value says that nothing sounds: null, 0, -1, or not a number."""
    return value is None or (type(value) in (int, float) and (value in RESTS or value != value))


def _sounding(frames: Sequence[Sequence[Any]], title: str, path: Path) -> tuple[NDArray[np.bool_], int]:
    """The keys that sound, (T, 88), and how many pitches lie outside them."""
    flat = [np.nan if pitch is None else pitch for pitch in chain.from_iterable(frames)]
    if not set(map(type, flat)) <= {int, float}:
        raise _foreign(path, f"`{title}` has something in a frame that is no number")
    try:
        pitch = np.array(flat, np.float64)
    except OverflowError:
        raise _foreign(path, f"`{title}` has a number that is no pitch") from None
    frame = np.repeat(np.arange(len(frames)), list(map(len, frames)))
    heard = ~(np.isnan(pitch) | np.isin(pitch, RESTS))
    key = pitch[heard] - LOWEST_KEY
    if not (np.isfinite(key) & (key == np.floor(key))).all():
        raise _foreign(path, f"`{title}` has a number that is no pitch")
    inside = (key >= 0) & (key < KEYS)
    sounding = np.zeros((len(frames), KEYS), np.bool_)
    sounding[frame[heard][inside], key[inside].astype(np.int64)] = True
    return sounding, int((~inside).sum())


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(
            Problem(f"the file cannot be opened: {reason}", str(path), "check its rights")
        ) from error
    if len(data) > LARGEST:
        raise _foreign(path, f"it is larger than {LARGEST // 2**20} MiB")
    try:
        return unpickle(data) if path.suffix.lower() in PICKLES else json.loads(data)
    except Refused as error:
        raise _foreign(path, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _foreign(path, "it cannot be read as JSON") from error


def _foreign(path: Path, what: str) -> DataError:
    layout = '{"train": [[[60, 64], [60], ...], ...], "valid": ..., "test": ...}'
    hint = f"use the file as published, or write the pitches of every frame as JSON: {layout}"
    return DataError(Problem(f"this holds no pieces as lists of pitches: {what}", str(path), hint))
