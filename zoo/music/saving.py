"""Save a roll as MIDI, sound or notation, depending on the suffix of the file name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import Problem, UsageError
from zoo.files import write_file
from zoo.music.listing import SUFFIXES
from zoo.parts.piano import KEYS

if TYPE_CHECKING:
    from zoo.music.roll import Roll

MIDI, SOUND, NOTATION = (".mid", ".midi"), (".wav",), (".musicxml",)
ENDINGS = {"MIDI": MIDI, "sound": SOUND, "notation": NOTATION}
"""Supported kinds of files and their suffixes."""
RANDOM = re.compile(rb'"[PI][0-9a-f]{32}"')
"""An identifier of a part or an instrument that music21 has drawn."""
OF_MUSIC21 = re.compile(rb"\s*<encoding-date>.*?</encoding-date>|\s*<creator .*?>Music21</creator>")
"""The date, and music21 as the composer."""
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters of file names that XML does not allow, among them bytes that are not UTF-8."""


def save(roll: Roll, path: str | Path, *, instrument: int = 0) -> None:
    """Write a roll as MIDI (.mid, .midi), sound (.wav) or notation (.musicxml), depending on the suffix.

    Args:
        roll: the music.
        path: the file.
        instrument: General MIDI program, 0..127.

    Raises:
        UsageError: the suffix is not supported, music21 is required but not installed, or the music is too
            long for sound or has durations without note values.
        ZooError: the file cannot be written; an existing file is unchanged.
    """
    write_file(path, music_bytes(roll, path, instrument))


def music_bytes(roll: Roll, path: str | Path, instrument: int = 0) -> bytes:
    """The content of the file that `save` writes to a path.

    Raises:
        UsageError: as `save`.
        ZooError: fluidsynth is used, and fails.
    """
    from zoo.music.sound import rendered
    from zoo.music.writing import midi_bytes

    check_ending(path)
    match Path(path).suffix.lower():
        case ".wav":
            return rendered(roll, instrument)
        case ".musicxml":
            return musicxml_bytes(roll, Path(path).stem, instrument)
        case _:
            return midi_bytes(roll, instrument)


def check_ending(path: str | Path) -> None:
    """Check the suffix of a file name.

    Raises:
        UsageError: the suffix is not supported.
    """
    if Path(path).suffix.lower() not in (*SUFFIXES, *SOUND, *NOTATION):
        what = "music cannot be written as this kind of file"
        raise UsageError(Problem(what, str(path), f"use the suffix {choices()}"))


def choices() -> str:
    """The supported suffixes, in words."""
    return ", ".join(f"{' or '.join(endings)} ({kind})" for kind, endings in ENDINGS.items())


def check_notation(grid: int) -> None:
    """Check that music on a grid can be written as notation, before any work.

    Args:
        grid: frames per quarter note.

    Raises:
        UsageError: music21 is not installed, or there is no note value for a frame.
    """
    import numpy as np

    from zoo.music.meter import Meter
    from zoo.music.roll import Roll

    note = np.zeros((2, KEYS), np.bool_)
    note[1, 0] = True
    musicxml_bytes(Roll(note, note, None, meter=Meter.of(grid=grid)), "")


def musicxml_bytes(roll: Roll, title: str, instrument: int = 0) -> bytes:
    """The roll as MusicXML, which notation programs such as MuseScore can open.

    Notes that overlap are written in several voices, at most four. Pitches are spelled by music21. The same
    roll gives the same bytes: identifiers are numbered, where music21 draws them at random, and there is no
    date.

    Args:
        roll: the music.
        title: title of the piece.
        instrument: General MIDI program, 0..127.

    Raises:
        UsageError: music21 is not installed, or there are no note values for the music, such as a
            seventeenth of a quarter note.
    """
    try:
        from music21 import metadata
        from music21.musicxml.m21ToXml import GeneralObjectExporter
        from music21.musicxml.xmlObjects import MusicXMLExportException
    except ImportError as error:
        hint = "pip install 'polyzoo[data]'"
        raise UsageError(Problem("notation needs music21, which is not installed", hint=hint)) from error
    from zoo.music.notation import score

    music = score(roll, instrument)
    music.metadata = metadata.Metadata(movementName=NOT_XML.sub("\ufffd", title))
    exporter = GeneralObjectExporter(music)
    exporter.makeNotation = False
    try:
        with _divisions(roll.meter.grid):
            content: bytes = exporter.parse()
    except MusicXMLExportException as error:
        what = f"notation has no note values for this music on a grid of {roll.meter.grid} frames: {error}"
        raise UsageError(Problem(what, hint="write MIDI: use the suffix .mid")) from error
    return _numbered(OF_MUSIC21.sub(b"", content))


@contextmanager
def _divisions(grid: int) -> Iterator[None]:
    """Units of time in which music21 can write each frame; its own do not divide by 11 or 13."""
    from music21 import defaults

    before = defaults.divisionsPerQuarter
    defaults.divisionsPerQuarter = lcm(before, grid)
    try:
        yield
    finally:
        defaults.divisionsPerQuarter = before


def _numbered(content: bytes) -> bytes:
    """MusicXML with numbers in place of random identifiers."""
    names: dict[bytes, bytes] = {}

    def name(drawn: re.Match[bytes]) -> bytes:
        return names.setdefault(drawn[0], b'"%c%d"' % (drawn[0][1], len(names) + 1))

    return RANDOM.sub(name, content)
