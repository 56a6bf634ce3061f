"""Pieces as lists of frames, each a list of the MIDI pitches that sound: the layout of published files.

    {"train": [[[60, 64, 67], [60, 64, 67], []], ...], "valid": [...], "test": [...]}

Boulanger-Lewandowski's pickles have it, and so has the JSB-Chorales-dataset, where a voice at rest is -1
or not a number in the files that keep the voices apart.
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
from zoo.data.split import SPLITS, Split
from zoo.data.unpickle import Refused, unpickle
from zoo.errors import DataError, Problem
from zoo.music.roll import KEYS, LOWEST_KEY, Roll

PICKLES = (".pickle", ".pkl")
LARGEST = 16 * 2**20
"""Bytes of a file; the largest published one has 9 million."""
MOST_PIECES, MOST_FRAMES, MOST_PITCHES = 2**15, 2**21, 2**23
"""In a file; the largest published ones have 1,000 pieces, 0.4 million frames and 2 million pitches."""


def read_pitches(path: Path) -> Iterator[Reading | Skipped]:
    """The pieces of a .pickle or .json file of frames, which cannot make anything run.

    Raises:
        DataError: the file holds something else, more than the limits, or cannot be read.
    """
    content = _load(path)
    splits = [(split, _pieces(content, split, path)) for split in SPLITS]
    if sum(len(pieces) for _, pieces in splits) > MOST_PIECES:
        raise _foreign(path, f"it has more than {MOST_PIECES} pieces")
    frames = pitches = 0
    for split, title, piece in (
        (s, f"{s} {n}", piece) for s, pieces in splits for n, piece in enumerate(pieces)
    ):
        if not isinstance(piece, list | tuple) or not all(isinstance(frame, list | tuple) for frame in piece):
            raise _foreign(path, f"`{title}` is not a list of frames")
        frames += len(piece)
        pitches += sum(map(len, piece))
        if frames > MOST_FRAMES or pitches > MOST_PITCHES:
            raise _foreign(path, f"up to `{title}` there are {frames} frames and {pitches} pitches, too many")
        if piece:
            yield Reading(title, Roll(None, _sounding(piece, title, path)), split=split)
        else:
            yield Skipped(title, "it has no frame")


def _pieces(content: Any, split: Split, path: Path) -> Sequence[Any]:
    if not isinstance(content, Mapping) or not isinstance(content.get(split), list | tuple):
        raise _foreign(path, f"it has no list of pieces called `{split}`")
    pieces: Sequence[Any] = content[split]
    return pieces


def _sounding(piece: Sequence[Sequence[Any]], title: str, path: Path) -> NDArray[np.bool_]:
    """The keys that sound, (T, 88)."""
    flat = list(chain.from_iterable(piece))
    if not set(map(type, flat)) <= {int, float}:
        raise _foreign(path, f"`{title}` has something in a frame that is no number")
    try:
        pitch = np.array(flat, np.float64)
    except OverflowError:
        raise _foreign(path, f"`{title}` has a number that is no pitch") from None
    frame = np.repeat(np.arange(len(piece)), [len(pitches) for pitches in piece])
    heard = ~(np.isnan(pitch) | (pitch == -1))
    key = pitch[heard] - LOWEST_KEY
    if not ((key >= 0) & (key < KEYS) & (key == np.floor(key))).all():
        raise _foreign(path, f"`{title}` has a number that is no pitch of the 88 keys (21 to 108)")
    sounding = np.zeros((len(piece), KEYS), np.bool_)
    sounding[frame[heard], key.astype(np.int64)] = True
    return sounding


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
    cure = f"use the file as published, or write the pitches of every frame as JSON: {layout}"
    return DataError(Problem(f"this holds no pieces as lists of pitches: {what}", str(path), cure))
