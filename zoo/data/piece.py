"""Pieces: as read from a source, as stored in a corpus, and as skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.data.options import Options
from zoo.data.split import Split
from zoo.music.align import AlignmentKind
from zoo.music.barline import MeterFrom
from zoo.music.grid import GRID
from zoo.music.meter import COMMON_TIME, Meter
from zoo.music.roll import Roll

if TYPE_CHECKING:
    from zoo.music import midi


@dataclass(frozen=True)
class Piece:
    """One piece of a corpus.

    Attributes:
        title: its title; for a MIDI file, its path within the folder.
        frames: T, its length in frames.
        digest: SHA-256 of its planes.
        split: "train", "valid" or "test".
        tempo: quarter notes per minute.
        meter: its grid, time signatures and bar lines.
        family: number of its family; pieces that share music have the same number.
        alignment: how the grid was found; see `zoo.music.align`.
        meter_from: how the meter was found; see `zoo.music.barline.FoundMeter`.
        off_grid: share of its notes that are more than a quarter of a frame off the grid.
        losses: number of notes that reading left out, moved or changed, by kind of loss.
    """

    title: str
    frames: int
    digest: str
    split: Split
    tempo: float = 120.0
    meter: Meter = COMMON_TIME
    family: int = 0
    alignment: AlignmentKind = "stated"
    meter_from: MeterFrom = "stated"
    off_grid: float = 0.0
    losses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SourcePiece:
    """A piece as read from its source.

    Attributes that are not listed are those of `Piece`.

    Attributes:
        split: the split that the source prescribes, or None.
        default_roll: the piece read with the default options; None if `roll` is that. Copies and families are
            found in it, so that a piece is in the same split on every grid.
    """

    title: str
    roll: Roll
    split: Split | None = None
    alignment: AlignmentKind = "stated"
    meter_from: MeterFrom = "stated"
    off_grid: float = 0.0
    losses: Mapping[str, int] = field(default_factory=dict)
    default_roll: Roll | None = None


@dataclass(frozen=True)
class Skipped:
    """A piece of the source that could not be used, and why."""

    title: str
    reason: str


def read_piece(
    title: str, read: Callable[..., midi.Reading], options: Options, split: Split | None = None
) -> SourcePiece:
    """Read a MIDI file as a piece.

    Args:
        title: title of the piece.
        read: reads the file; takes the optional keyword arguments `grid` and `pedal`.
        options: how to read the file.
        split: the split that the source prescribes, or None.

    Raises:
        DataError: raised by `read`.
    """
    reading = read(grid=options.grid or GRID, pedal=options.pedal)
    return SourcePiece(
        title=title,
        roll=reading.roll,
        split=split,
        alignment=reading.alignment,
        meter_from=reading.meter_from,
        off_grid=reading.off_grid,
        losses={**reading.losses, **reading.left_out},
        default_roll=None if options.reads_default_notes() else read().roll,
    )


def copies(pieces: Iterable[Piece]) -> list[list[str]]:
    """Groups of titles of pieces with identical notes and meter; pieces without a copy are left out."""
    titles_by_digest: dict[str, list[str]] = {}
    for piece in pieces:
        titles_by_digest.setdefault(piece.digest, []).append(piece.title)
    return [titles for titles in titles_by_digest.values() if len(titles) > 1]
