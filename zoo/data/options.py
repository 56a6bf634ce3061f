"""Options: how music is read, where its files leave a choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pedal = Literal["keep", "hold"]


@dataclass(frozen=True)
class Options:
    """How the files of a corpus are read; music read otherwise is other music.

    Attributes:
        grid: frames to a quarter note; None for what the source has by itself: sixteenths, or for a
            published file of frames what its frames are.
        pedal: `keep` ends a note where its key is released, `hold` where the sustain pedal rises.
        family: which pieces belong together beyond what their notes tell: a regular expression that is
            matched against titles, or a CSV file of titles and families; empty for none.
    """

    grid: int | None = None
    pedal: Pedal = "keep"
    family: str = ""

    def identity(self) -> list[str | int | None]:
        """What tells music that is read with other options apart, ready for JSON."""
        return [self.grid, self.pedal, self.family]


DEFAULTS = Options()
