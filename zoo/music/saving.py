"""Saving: a roll as the kind of file that its name promises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import Problem, UsageError
from zoo.files import write_file
from zoo.music.listing import SUFFIXES

if TYPE_CHECKING:
    from zoo.music.roll import Roll

MIDI, SOUND, NOTATION = (".mid", ".midi"), (".wav",), (".musicxml",)
ENDINGS = {"MIDI": MIDI, "sound": SOUND, "notation": NOTATION}
"""What a roll can be written as, by the ends of names."""


def save(roll: Roll, path: str | Path, *, instrument: int = 0) -> None:
    """Write a roll as MIDI (.mid, .midi), sound (.wav) or notation (.musicxml), by the end of the name.

    Args:
        roll: the music.
        path: the file.
        instrument: General MIDI program, 0..127.

    Raises:
        UsageError: the name ends in none of these, music21 is needed and not installed, or the music is too
            long for sound.
        ZooError: the file cannot be written; an older one of that name is then untouched.
    """
    from zoo.music.sound import write_wav
    from zoo.music.writing import write_midi

    check_ending(path)
    match Path(path).suffix.lower():
        case ".wav":
            write_wav(roll, path, instrument=instrument)
        case ".musicxml":
            write_file(path, musicxml_bytes(roll, instrument))
        case _:
            write_midi(roll, path, instrument=instrument)


def check_ending(path: str | Path) -> None:
    """Refuse a name that promises a kind of file that a roll cannot be.

    Raises:
        UsageError: it does.
    """
    place = Path(path)
    if place.suffix.lower() not in (*SUFFIXES, *SOUND, *NOTATION):
        what = "music is not written as this kind of file"
        raise UsageError(Problem(what, str(path), f"end the name in {choices()}"))


def choices() -> str:
    """The endings there are, in words."""
    return ", ".join(f"{' or '.join(endings)} ({kind})" for kind, endings in ENDINGS.items())


def musicxml_bytes(roll: Roll, instrument: int = 0) -> bytes:
    """The roll as notation, which programs such as MuseScore open.

    music21 decides how notes are spelled, tied and split into voices.

    Raises:
        UsageError: music21 is not installed.
    """
    try:
        from music21 import converter
        from music21.musicxml.m21ToXml import GeneralObjectExporter
    except ImportError as error:
        hint = "pip install 'polyzoo[data]'"
        raise UsageError(Problem("notation needs music21, which is not installed", hint=hint)) from error
    from zoo.music.writing import midi_bytes

    divisors = tuple(sorted({roll.meter.grid, 1}))
    score = converter.parseData(midi_bytes(roll, instrument), format="midi", quarterLengthDivisors=divisors)
    content: bytes = GeneralObjectExporter(score).parse()
    return content
