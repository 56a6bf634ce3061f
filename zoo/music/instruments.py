"""Instruments of General MIDI, by number (41) or by name (violin)."""

from __future__ import annotations

from difflib import get_close_matches

from zoo.errors import Problem, UsageError


def program(word: str) -> int:
    """The General MIDI program (0..127) of an instrument.

    Args:
        word: its number counted from 1, 1 to 128, or its name in any case; a unique part of a name is
            enough.

    Raises:
        UsageError: no instrument matches, or several do.
    """
    if word.isdecimal():
        if 1 <= int(word) <= 128:
            return int(word) - 1
        hint = "1 is a grand piano, 128 is a gunshot"
        raise UsageError(Problem("instruments are numbered from 1 to 128", f"--instrument {word}", hint))
    from pretty_midi.constants import INSTRUMENT_MAP

    names = [name.lower() for name in INSTRUMENT_MAP]
    wanted = word.strip().lower()
    matches = [number for number, name in enumerate(names) if wanted in name]
    exact = [number for number in matches if names[number] == wanted]
    if len(matches) == 1 or exact:
        return (exact or matches)[0]
    close = [names[number] for number in matches[:4]] or get_close_matches(wanted, names, n=3)
    hint = f"did you mean {' or '.join(close)}" if close else "such as violin, church organ or 41"
    what = "several instruments match this name" if matches else "General MIDI has no such instrument"
    raise UsageError(Problem(what, f"--instrument {word}", hint))
