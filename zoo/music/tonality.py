"""The key that music is in, such as A minor: estimated by key profiles, and read from names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from zoo.errors import Problem, UsageError
from zoo.music.roll import Roll
from zoo.parts.piano import KEYS, LOWEST_KEY, PITCH_CLASSES

Mode = Literal["major", "minor"]

# The probe-tone profiles of C major and C minor: Krumhansl, Cognitive Foundations of Musical Pitch, 1990.
PROFILES: dict[Mode, tuple[float, ...]] = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
NAMES: dict[Mode, tuple[str, ...]] = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#/Gb", "G", "Ab", "A", "Bb", "B"),
    "minor": ("Cm", "C#m", "Dm", "D#m/Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm"),
}
"""The usual name of the key on each pitch class."""
RELATIVE = 3
"""Semitones from the tonic of a minor key up to that of its relative major."""
_NAME = re.compile(r"([A-G]) *(#|b|♯|♭|sharp|flat)? *(m|min|minor|maj|major)?", re.IGNORECASE)
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}


@dataclass(frozen=True)
class Tonality:
    """A musical key.

    Attributes:
        tonic: its pitch class, 0 for C to 11 for B.
        mode: major or minor.
    """

    tonic: int
    mode: Mode = "major"

    @classmethod
    def parse(cls, name: str, where: str = "key") -> Self:
        """The key of a name: `C`, `Am`, `F#m`, `Bb minor`, `e flat major`.

        Upper and lower case are the same, except that `CM` is C major and `Cm` is C minor.

        Raises:
            UsageError: there is no such key; `where` names the option.
        """
        match = _NAME.fullmatch(name.strip())
        if match is None:
            hint = "write C, F# or Bb major for major keys and Cm, F#m or Bb minor for minor ones"
            raise UsageError(Problem(f"{name!r} is not a key", where, hint))
        letter, accidental, mode = match.groups(default="")
        shift = _ACCIDENTALS[accidental.lower()]
        is_minor = mode == "m" or mode.lower() in ("min", "minor")
        return cls((_NATURAL[letter.upper()] + shift) % PITCH_CLASSES, "minor" if is_minor else "major")

    def __str__(self) -> str:
        return NAMES[self.mode][self.tonic]

    @property
    def relative(self) -> Tonality:
        """The key of the other mode with the same key signature."""
        if self.mode == "minor":
            return Tonality(self.signature)
        return Tonality((self.tonic - RELATIVE) % PITCH_CLASSES, "minor")

    @property
    def signature(self) -> int:
        """The tonic of the major key with the same key signature."""
        return (self.tonic + (RELATIVE if self.mode == "minor" else 0)) % PITCH_CLASSES


def pitch_class_frames(roll: Roll) -> NDArray[np.float64]:
    """(12,) how long each pitch class sounds, C first: frames, summed over keys."""
    classes = (np.arange(KEYS) + LOWEST_KEY) % PITCH_CLASSES
    return np.bincount(classes, weights=roll.sounding.sum(0), minlength=PITCH_CLASSES).astype(np.float64)


def estimate_tonality(roll: Roll) -> Tonality:
    """The key whose profile correlates best with how long each pitch class sounds (Krumhansl and Schmuckler).

    Where nothing sounds it is C major.
    """
    candidates = [Tonality(tonic, mode) for mode in PROFILES for tonic in range(PITCH_CLASSES)]
    profiles = np.stack([np.roll(PROFILES[key.mode], key.tonic) for key in candidates])
    profiles -= profiles.mean(1, keepdims=True)
    fit = profiles @ pitch_class_frames(roll) / np.linalg.norm(profiles, axis=1)
    return candidates[int(fit.argmax())]


def semitones_to(key: Tonality, roll: Roll) -> int:
    """How far to transpose music so that it is in a key: the shorter way, -5 to 6 semitones.

    Music in minor that is asked for in major arrives in the relative minor, with the key signature that was
    asked for; and the other way round.
    """
    return (key.signature - estimate_tonality(roll).signature + 5) % PITCH_CLASSES - 5
