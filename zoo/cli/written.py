"""Writing new music: the formats by file name, and a warning if there is hardly any music."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import Problem, UsageError

if TYPE_CHECKING:
    from zoo.music.roll import Roll

PAGES = (".html", ".htm")
"""The ends of names of pages, which `zoo report` makes of more than one piece."""


def check_endings(output: Path, picture: Path | None) -> None:
    """Reject file names whose ending is not that of a supported format."""
    from zoo.music.saving import MIDI, NOTATION, SOUND

    problems = [
        Problem(f"{what} ends in {_either(endings)}", str(path), f"write {option} {_named(path, endings[0])}")
        for what, option, path, endings in (
            ("the name of the music", "-o", output, (*MIDI, *SOUND, *NOTATION, *PAGES)),
            ("the name of a picture", "--picture", picture, (".png",)),
        )
        if path and path.suffix.lower() not in endings
    ]
    if problems:
        raise UsageError(*problems)


def _either(endings: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(endings[:-1]), endings[-1]]))


def _named(path: Path, ending: str) -> str:
    """The path with another ending, quoted for a shell."""
    return shlex.quote(str(path.with_suffix(ending) if path.name.strip(".") else path / f"music{ending}"))


def save_piece(roll: Roll, path: Path, instrument: int, primer: int) -> None:
    """Write a piece in the format that its file name implies."""
    if path.suffix.lower() not in PAGES:
        roll.write(path, instrument=instrument)
        return
    from zoo.music.writing import midi_bytes
    from zoo.report import Piece, Report, write_report

    piece = Piece(path.stem, roll, primer=primer, midi=midi_bytes(roll, instrument))
    write_report(Report(path.stem, [piece]), path)


def warn_of_dull(written: Mapping[Path, Roll], first: int) -> None:
    """Warn of pieces that are almost silent or otherwise degenerate."""
    from zoo.cli.console import stderr, visible
    from zoo.music.remarks import dull

    for path, roll in written.items():
        if remark := dull(roll, first):
            line = (
                f"warning: {path}: {remark}; another --seed, a higher --temperature or longer training helps"
            )
            stderr.print(visible(line), soft_wrap=True)
