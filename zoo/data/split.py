"""The split: which pieces are for training, which for choosing, which for the final score.

A piece's split follows from its notes alone: a hash of which keys are pressed when, counted from the
piece's lowest key. A copy, a transposed copy, or the same piece played louder falls into the same
split, whatever its file is called, so no test piece was trained on in another key. About 80 % of all
pieces train, 10 % validate, 10 % test; adding pieces to a corpus moves no piece that is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from zoo.music.roll import Roll

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
SPELLINGS: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "valid": ("valid", "validation", "val"),
    "test": ("test",),
}
"""What published sets call each split."""
TRAIN, VALID = 0.8, 0.9
"""Where the split hash, a number in 0..1, leaves training and validation."""


def pattern(roll: Roll) -> str:
    """What copies of a piece share: a hash of its notes relative to the lowest, without loudness.

    Silence before and after the notes does not count. Where nobody knows which keys are pressed, the
    sounding keys stand in.
    """
    keys = roll.sounding if roll.onset is None else roll.onset
    frames, pitches = np.nonzero(keys)
    notes = np.stack([frames, pitches]).astype("<i4")
    if notes.size:
        notes -= notes.min(axis=1, keepdims=True)
    return hashlib.sha256(notes.tobytes()).hexdigest()


def split_of(patterns: Sequence[str]) -> list[Split]:
    """The split of each piece by its note pattern.

    In a corpus so small that a split would stay empty, the largest one gives a pattern to it; a single
    piece trains.
    """
    place = {pattern: int(pattern[:16], 16) / 2**64 for pattern in patterns}
    order = sorted(place, key=lambda pattern: place[pattern])
    split: dict[str, Split] = {pattern: _by_place(place[pattern]) for pattern in order}
    for empty in [name for name in SPLITS if name not in split.values()]:
        taken = list(split.values())
        largest = max(SPLITS, key=taken.count)
        members = [pattern for pattern in order if split[pattern] == largest]
        if len(members) > 1 or (members and empty == "train"):
            split[members[0 if empty == "train" else -1]] = empty
    return [split[pattern] for pattern in patterns]


def _by_place(place: float) -> Split:
    if place < TRAIN:
        return "train"
    return "valid" if place < VALID else "test"
