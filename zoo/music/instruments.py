"""Instruments of General MIDI: by number, as 41, or by name, as violin."""

from __future__ import annotations

from difflib import get_close_matches

from zoo.errors import Problem, UsageError


def program(word: str) -> int:
    """The General MIDI program, 0..127, of an instrument.

    Args:
        word: its number as musicians count, 1 to 128, or its name in any case; a part of a name will do where
            only one has it.

    Raises:
        UsageError: there is no such instrument, or several.
    """
    if word.isdecimal():
        if 1 <= int(word) <= 128:
            return int(word) - 1
        hint = "1 is a grand piano, 128 the last one"
        raise UsageError(Problem("instruments are numbered from 1 to 128", f"--instrument {word}", hint))
    from pretty_midi.constants import INSTRUMENT_MAP

    names = [name.lower() for name in INSTRUMENT_MAP]
    wanted = word.strip().lower()
    found = [number for number, name in enumerate(names) if wanted in name]
    exact = [number for number in found if names[number] == wanted]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    close = [names[number] for number in found[:4]] or get_close_matches(wanted, names, n=3)
    hint = f"did you mean {' or '.join(close)}" if close else "such as violin, church organ or 41"
    what = "several instruments are called so" if found else "there is no such instrument in General MIDI"
    raise UsageError(Problem(what, f"--instrument {word}", hint))
