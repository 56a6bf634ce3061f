"""Options: how music is read, where its files leave a choice."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.music.grid import GRID, Pedal, check_choices


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

    def __post_init__(self) -> None:
        """Refuse what no music can be read with.

        Raises:
            UsageError: there is no such grid or pedal.
        """
        check_choices(GRID if self.grid is None else self.grid, self.pedal)

    def are_usual(self) -> bool:
        """Whether the notes of MIDI files are read as they are by default."""
        return self.grid in (None, GRID) and self.pedal == "keep"

    def identity(self) -> list[str]:
        """What tells music that is read with other options apart, but for the grid, ready for JSON."""
        return [self.pedal, self.family]

    def words(self) -> list[str]:
        """The options that differ from the defaults, as they are written on the command line."""
        return [f"{name}={value}" for name, value in asdict(self).items() if value != getattr(DEFAULTS, name)]

    def rule(self) -> str:
        """What changes when the file of families does; empty where there is none."""
        path = Path(self.family)
        try:
            if not path.is_file():
                return ""
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""  # a file that cannot be read shows when it is used


DEFAULTS = Options()
