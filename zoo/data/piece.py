"""The words of a corpus: a piece as its source gives it, as the corpus keeps it, or why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zoo.data.split import Split
from zoo.music.meter import COMMON_TIME, Meter
from zoo.music.roll import Roll


@dataclass(frozen=True)
class Piece:
    """One piece of a corpus.

    Attributes:
        title: what people call it; for a MIDI file its path within the folder.
        frames: T, its length on the grid.
        digest: sha256 over its planes.
        split: "train", "valid" or "test".
        tempo: quarter notes per minute.
        meter: frames to a quarter note, and where its bars lie.
        family: number of the piece's family; pieces that share music have one number.
        alignment: how the grid was found; see `zoo.music.align`.
        off_grid: share of its notes more than a quarter frame from where they were put.
        losses: how many notes reading lost, moved or changed, by what happened to them.
    """

    title: str
    frames: int
    digest: str
    split: Split
    tempo: float = 120.0
    meter: Meter = COMMON_TIME
    family: int = 0
    alignment: str = "stated"
    off_grid: float = 0.0
    losses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """A piece as its source gives it, with the split where the source prescribes one.

    The other attributes are those of `Piece`.
    """

    title: str
    roll: Roll
    split: Split | None = None
    alignment: str = "stated"
    off_grid: float = 0.0
    losses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Skipped:
    """A piece that could not be used, and why."""

    title: str
    reason: str


def copies(pieces: Iterable[Piece]) -> list[list[str]]:
    """Titles of pieces that are the same, note for note and in the same meter, together."""
    same: dict[str, list[str]] = {}
    for piece in pieces:
        same.setdefault(piece.digest, []).append(piece.title)
    return [titles for titles in same.values() if len(titles) > 1]
