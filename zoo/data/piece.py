"""The words of a corpus: a piece as its source gives it, as the corpus keeps it, or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.data.options import Options
from zoo.data.split import Split
from zoo.music.grid import GRID
from zoo.music.meter import COMMON_TIME, Meter
from zoo.music.roll import Roll

if TYPE_CHECKING:
    from zoo.music import midi


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
        meter_from: how the meter was found; see `zoo.music.barline.FoundMeter`.
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
    meter_from: str = "stated"
    off_grid: float = 0.0
    losses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """A piece as its source gives it.

    The attributes that are not listed are those of `Piece`.

    Attributes:
        split: where the source prescribes one.
        by_default: the piece read with the default options, in which copies and families are looked for,
            so that a piece is in one split on every grid; None where `roll` is that.
    """

    title: str
    roll: Roll
    split: Split | None = None
    alignment: str = "stated"
    meter_from: str = "stated"
    off_grid: float = 0.0
    losses: Mapping[str, int] = field(default_factory=dict)
    by_default: Roll | None = None


@dataclass(frozen=True)
class Skipped:
    """A piece that could not be used, and why."""

    title: str
    reason: str


def read_piece(
    title: str, read: Callable[..., midi.Reading], options: Options, split: Split | None = None
) -> Reading:
    """A MIDI file as a piece.

    Args:
        title: what the piece is called.
        read: reads the file, with the options `grid` and `pedal` or without.
        options: how the file is to be read.
        split: where the source prescribes one.

    Raises:
        DataError: as `read`.
    """
    found = read(grid=options.grid or GRID, pedal=options.pedal)
    return Reading(
        title=title,
        roll=found.roll,
        split=split,
        alignment=found.alignment,
        meter_from=found.meter_from,
        off_grid=found.off_grid,
        losses={**found.losses, **found.left_out},
        by_default=None if options.are_usual() else read().roll,
    )


def copies(pieces: Iterable[Piece]) -> list[list[str]]:
    """Titles of pieces that are the same, note for note and in the same meter, together."""
    same: dict[str, list[str]] = {}
    for piece in pieces:
        same.setdefault(piece.digest, []).append(piece.title)
    return [titles for titles in same.values() if len(titles) > 1]
