"""Assign pieces to the training, validation and test splits.

The split of a piece depends on its notes only: on a hash of its onsets, relative to its lowest key. Copies,
transposed copies and louder copies are assigned to the same split whatever their files are called, and so
are all pieces of a family (`zoo.data.family`), so no test piece occurs in training in another key or version.
About 80 % of all families are for training, 10 % for validation and 10 % for testing. Pieces that are added
to a corpus do not change the split of others, unless they join their family.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Sequence
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
"""Names of the splits in published datasets."""
TRAIN_END, VALID_END = 0.8, 0.9
"""Upper ends of the training and validation splits for a hash in 0..1."""


def pattern(roll: Roll) -> str:
    """The note pattern of a piece: a hash that all its copies share, in any key and at any loudness.

    Silence before and after the notes does not count. If onsets are unknown, the sounding keys are used.
    """
    keys = roll.sounding if roll.onset is None else roll.onset
    frames, pitches = np.nonzero(keys)
    notes = np.stack([frames, pitches]).astype("<i4")
    if notes.size:
        notes -= notes.min(axis=1, keepdims=True)
    return hashlib.sha256(notes.tobytes()).hexdigest()


def split_of(patterns: Sequence[str], families: Sequence[int] | None = None) -> list[Split]:
    """The split of each piece; all pieces of a family get the split of one of their note patterns.

    If a split would be empty because the corpus is small, the largest split gives a family to it. A single
    family is used for training.

    Args:
        patterns: note pattern of each piece, see `pattern`.
        families: number of each piece's family. Pieces of one family stay together, and so do pieces with
            the same pattern.
    """
    leaders = _leaders(patterns, families or range(len(patterns)))
    value = {leader: int(leader[:16], 16) / 2**64 for leader in leaders}
    order = sorted(value, key=lambda leader: value[leader])
    split: dict[str, Split] = {leader: _split_at(value[leader]) for leader in order}
    for empty in [name for name in SPLITS if name not in split.values()]:
        assigned = list(split.values())
        largest = max(SPLITS, key=assigned.count)
        members = [leader for leader in order if split[leader] == largest]
        if len(members) > 1 or (members and empty == "train"):
            split[members[0 if empty == "train" else -1]] = empty
    return [split[leader] for leader in leaders]


def _leaders(patterns: Sequence[str], families: Sequence[int]) -> list[str]:
    """For each piece, the pattern that decides on the split of its family.

    It is the one whose second hash is smallest. The smallest pattern itself would bias large families towards
    training, since the pattern is also the number that is compared with the ends of the splits.
    """
    groups = connected_components(len(patterns), [*links_by_label(patterns), *links_by_label(families)])
    leader: dict[int, str] = {}
    for group, candidate in zip(groups, patterns, strict=True):
        leader[group] = min(leader.get(group, candidate), candidate, key=_second_hash)
    return [leader[group] for group in groups]


def _second_hash(pattern: str) -> str:
    return hashlib.sha256(pattern.encode()).hexdigest()


def links_by_label(labels: Iterable[Hashable | None]) -> Iterator[tuple[int, int]]:
    """Links between pieces with the same label; pieces without a label are not linked."""
    first: dict[Hashable, int] = {}
    for piece, label in enumerate(labels):
        if label is not None:
            yield first.setdefault(label, piece), piece


def connected_components(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """The connected components of `count` linked pieces: for each piece, the first piece of its component."""
    parent = list(range(count))

    def root(piece: int) -> int:
        while parent[piece] != piece:
            parent[piece] = parent[parent[piece]]
            piece = parent[piece]
        return piece

    for link in links:
        first, second = sorted(map(root, link))
        parent[second] = first
    return [root(piece) for piece in range(count)]


def _split_at(value: float) -> Split:
    if value < TRAIN_END:
        return "train"
    return "valid" if value < VALID_END else "test"
