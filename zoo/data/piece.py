"""The words of a corpus: a piece as its source gives it, as the corpus keeps it, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    """A piece as its source gives it.

    Attributes:
        title: what people call it; for a MIDI file its path within the folder.
        roll: the music; its meter says how many frames a quarter note has, and where bars lie.
        split: the split that the source prescribes, if it does.
        alignment: how the grid was found: "stated" by the file, "shifted" by what its notes ask for,
            "annotated" by a file of beats beside it, or "unaligned", as a free performance is.
        off_grid: share of the notes, 0..1, that lie more than a quarter of a frame from their frame.
        losses: how many notes the grid or the keyboard changed or left out, by the reason.
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
