"""The words of a corpus: a piece as its source gives it, as the corpus keeps it, or why not."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.data.split import Split
from zoo.music.roll import Roll


@dataclass(frozen=True)
class Piece:
    """One piece of a corpus.

    Attributes:
        title: what people call it; for a MIDI file its path within the folder.
        frames: T, its length on the grid.
        digest: sha256 over its planes.
        split: "train", "valid" or "test".
        offset: how many frames its first bar lacks: 12 where a piece in 4/4 begins with an upbeat of a
            quarter note. Frame f stands at f + offset on the bar grid.
        tempo: quarter notes per minute.
    """

    title: str
    frames: int
    digest: str
    split: Split
    offset: int = 0
    tempo: float = 120.0


@dataclass(frozen=True)
class Reading:
    """A piece as its source gives it, with the split where the source prescribes one."""

    title: str
    roll: Roll
    split: Split | None = None
    offset: int = 0


@dataclass(frozen=True)
class Skipped:
    """A piece that could not be used, and why."""

    title: str
    reason: str
