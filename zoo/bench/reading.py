"""Readings: what is known of the music behind a result, so that only numbers of the same music are ranked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.music.grid import GRID

READING = 2
"""Raised when the same files are read as other music. Results of an earlier reading are kept and marked."""

EARLIER = {
    1: "bars were counted from the first note, pieces were not aligned to their beats, and versions of one "
    "piece could fall into different splits"
}
"""Reading -> what was different then."""


@dataclass(frozen=True)
class Reading:
    """How the music behind a result was read; two results share a table where these are equal.

    Attributes:
        digest: of the music.
        number: the `READING` it was read with; results without one are of the first.
        grid: frames to a quarter note.
        leaks: how many of the scored pieces share long passages with training pieces; None where that was
            not counted.
    """

    digest: str
    number: int = READING
    grid: int = GRID
    leaks: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Reading:
        """The reading that a stored result is of."""
        data = result["data"]
        return cls(data["digest"], data.get("reading", 1), data.get("grid", GRID), data.get("leaks"))

    @property
    def is_earlier(self) -> bool:
        """Whether the music is read in another way now."""
        return self.number < READING

    @property
    def name(self) -> str:
        """What it is called in errors: `548ad920ceb8, reading 1`."""
        grid = "" if self.grid == GRID else f", {self.grid} frames to a quarter note"
        return f"{self.digest[:12]}, reading {self.number}{grid}"

    @property
    def notes(self) -> Iterator[str]:
        """What a caption has to say of it."""
        if self.is_earlier:
            yield f"an earlier reading of this music: {EARLIER[self.number]}"
        if self.grid != GRID:
            yield f"{self.grid} frames to a quarter note"
        if self.leaks:
            those = "1 scored piece shares" if self.leaks == 1 else f"{self.leaks} scored pieces share"
            yield f"{those} long passages with training pieces"
