"""Options for reading the files of a corpus."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.music.grid import GRID, Pedal, check_choices


@dataclass(frozen=True)
class Options:
    """How the files of a corpus are read; each combination of options has its own store.

    Attributes:
        grid: frames per quarter note; None for the default of the source: sixteenths, or the grid of a
            published file of frames.
        pedal: `keep` ends a note when its key is released, `hold` when the sustain pedal is.
        family: a rule for which pieces belong together, in addition to their notes: a regular expression that
            is searched for in the titles, or a CSV file of titles and families; empty for none.
    """

    grid: int | None = None
    pedal: Pedal = "keep"
    family: str = ""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: the grid or the pedal setting is invalid.
        """
        check_choices(GRID if self.grid is None else self.grid, self.pedal)

    def reads_default_notes(self) -> bool:
        """Whether MIDI files give the same notes as with the default options."""
        return self.grid in (None, GRID) and self.pedal == "keep"

    def identity(self) -> list[str]:
        """The options other than the grid, which the name of a store depends on, ready for JSON."""
        return [self.pedal, self.family]

    def words(self) -> list[str]:
        """The options that differ from the defaults, as written on the command line."""
        return [f"{name}={value}" for name, value in asdict(self).items() if value != getattr(DEFAULTS, name)]

    def rule_digest(self) -> str:
        """SHA-256 of the CSV file of families; empty if there is none."""
        path = Path(self.family)
        try:
            if not path.is_file():
                return ""
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""  # an unreadable file is reported when it is used


DEFAULTS = Options()
