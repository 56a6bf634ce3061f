"""Readings: how the music of a result was read, so that only results on the same music are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.music.grid import GRID

READING = 2
"""Version of the reading, raised when the same files are read as different music. Results of earlier readings
are kept and marked."""

EARLIER = {
    1: "bars were counted from the first note, pieces were not aligned to their beats, and versions of one "
    "piece could fall into different splits"
}
"""Earlier reading -> how it differed from the current one."""


@dataclass(frozen=True)
class MusicReading:
    """How the music of a result was read; only results with equal readings share a table.

    Attributes:
        digest: digest of the music.
        number: the `READING` it was read with, 1 for results that do not record it.
        grid: frames per quarter note.
        leaks: number of scored pieces that share long passages with training pieces; None if not counted.
    """

    digest: str
    number: int = READING
    grid: int = GRID
    leaks: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> MusicReading:
        """The reading of a stored result."""
        data = result["data"]
        return cls(data["digest"], data.get("reading", 1), data.get("grid", GRID), data.get("leaks"))

    @property
    def is_earlier(self) -> bool:
        """Whether the music has since been read in a newer way."""
        return self.number < READING

    @property
    def name(self) -> str:
        """Name in error messages: `548ad920ceb8, reading 1`."""
        grid = "" if self.grid == GRID else f", {self.grid} frames per quarter note"
        return f"{self.digest[:12]}, reading {self.number}{grid}"

    @property
    def notes(self) -> Iterator[str]:
        """Notes for the caption of a table."""
        if self.is_earlier:
            yield f"an earlier reading of this music: {EARLIER[self.number]}"
        if self.grid != GRID:
            yield f"{self.grid} frames per quarter note"
        if self.leaks:
            pieces = "1 scored piece shares" if self.leaks == 1 else f"{self.leaks} scored pieces share"
            yield f"{pieces} long passages with training pieces"
