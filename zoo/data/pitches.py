"""Read published files that store a piece as a list of frames, each a list of the sounding MIDI pitches.

    {"train": [[[60, 64, 67], [60, 64, 67], []], ...], "valid": [...], "test": [...]}

This is the format of Boulanger-Lewandowski's pickles and of the JSB-Chorales-dataset. In files that keep the
voices separate, a resting voice is -1 or NaN (null in strict JSON); 0 is read as a rest as well. The
validation split may be called `validation` or `val`, or be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.piece import Skipped, SourcePiece
from zoo.data.split import SPELLINGS, SPLITS, Split
from zoo.data.unpickle import UnsafePickle, unpickle
from zoo.errors import DataError, Problem
from zoo.music.meter import COMMON_TIME, Meter
from zoo.music.roll import Roll
from zoo.parts.piano import KEYS, LOWEST_KEY

PICKLES = (".pickle", ".pkl")
MAX_BYTES = 16 * 2**20
"""Maximum size of a file; the largest published one has 9 million bytes."""
MAX_PIECES, MAX_FRAMES, MAX_PITCHES = 2**15, 2**21, 2**23
"""Limits for a file; the largest published ones have 1,000 pieces, 0.4 million frames and 2 million
pitches."""

RESTS = (0, -1)
"""Numbers that mean a rest; MIDI pitch 0 is below the lowest key of a piano."""
NO_FRAMES, SILENT = "it has no frames", "it has no notes"
"""Why pieces are skipped."""
OUTSIDE = "outside the 88 keys"
"""Why pitches are left out."""


def read_pitches(path: Path, meter: Meter = COMMON_TIME) -> Iterator[SourcePiece | Skipped]:
    """Read the pieces in a .pickle or .json file of frames; no code in the file is executed.

    Pitches outside the keyboard are left out and counted. Pieces without notes are skipped.

    Args:
        path: the file.
        meter: grid and meter of its frames, which the file does not state.

    Raises:
        DataError: the file cannot be read, has a different format, or exceeds the limits.
    """
    content = _load(path)
    frames = pitches = 0
    for split, title, piece in _pieces(content, path):
        rows = _frames(piece)
        if rows is None:
            raise _wrong_format(path, f"`{title}` is not a list of frames")
        frames += len(rows)
        pitches += sum(map(len, rows))
        if frames > MAX_FRAMES or pitches > MAX_PITCHES:
            what = f"it has too many frames or pitches: {frames} and {pitches} up to `{title}`"
            raise _wrong_format(path, what)
        sounding, outside = _sounding(rows, title, path)
        losses = {OUTSIDE: outside} if outside else {}
        if sounding.any():
            roll = Roll(None, sounding, meter=meter)
            yield SourcePiece(title, roll, split, meter_from="assumed", losses=losses)
        else:
            reason = SILENT if rows else NO_FRAMES
            yield Skipped(title, f"{reason} ({outside} {OUTSIDE})" if outside else reason)


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
            raise _wrong_format(path, f"it has no list of pieces called `{name}`")
    if sum(len(pieces) for _, _, pieces in lists) > MAX_PIECES:
        raise _wrong_format(path, f"it has more than {MAX_PIECES} pieces")
    for split, name, pieces in lists:
        for number, piece in enumerate(pieces):
            yield split, f"{name} {number}", piece


def _frames(piece: Any) -> list[Sequence[Any]] | None:
    """The frames of a piece, each a list of pitches; None if the piece has a different format.

    A rest may take the place of a list.
    """
    if not isinstance(piece, list | tuple):
        return None
    frames: list[Sequence[Any]] = [() if _is_rest(frame) else frame for frame in piece]
    return frames if all(isinstance(frame, list | tuple) for frame in frames) else None


def _is_rest(value: Any) -> bool:
    """Whether a value means a rest: null, 0, -1, or NaN."""
    return value is None or (type(value) in (int, float) and (value in RESTS or value != value))


def _sounding(frames: Sequence[Sequence[Any]], title: str, path: Path) -> tuple[NDArray[np.bool_], int]:
    """The sounding keys, (T, 88) bool, and the number of pitches outside the keyboard."""
    flat = [np.nan if pitch is None else pitch for pitch in chain.from_iterable(frames)]
    if not set(map(type, flat)) <= {int, float}:
        raise _wrong_format(path, f"`{title}` has a non-numeric value in a frame")
    try:
        pitch = np.array(flat, np.float64)
    except OverflowError:
        raise _wrong_format(path, f"`{title}` has a number that is not a pitch") from None
    frame = np.repeat(np.arange(len(frames)), list(map(len, frames)))
    is_note = ~(np.isnan(pitch) | np.isin(pitch, RESTS))
    key = pitch[is_note] - LOWEST_KEY
    if not (np.isfinite(key) & (key == np.floor(key))).all():
        raise _wrong_format(path, f"`{title}` has a number that is not a pitch")
    inside = (key >= 0) & (key < KEYS)
    sounding = np.zeros((len(frames), KEYS), np.bool_)
    sounding[frame[is_note][inside], key[inside].astype(np.int64)] = True
    return sounding, int((~inside).sum())


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(
            Problem(f"the file cannot be opened: {reason}", str(path), "check the file's permissions")
        ) from error
    if len(data) > MAX_BYTES:
        raise _wrong_format(path, f"it is larger than {MAX_BYTES // 2**20} MiB")
    try:
        return unpickle(data) if path.suffix.lower() in PICKLES else json.loads(data)
    except UnsafePickle as error:
        raise _wrong_format(path, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _wrong_format(path, "it is not valid JSON") from error


def _wrong_format(path: Path, what: str) -> DataError:
    example = '{"train": [[[60, 64], [60], ...], ...], "valid": ..., "test": ...}'
    hint = f"use a published file, or write the pitches of every frame as JSON: {example}"
    return DataError(Problem(f"this file does not contain lists of pitches: {what}", str(path), hint))
