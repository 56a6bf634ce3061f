"""The chorales of J. S. Bach that come with music21, the corpus that needs no download.

All 371 of Riemenschneider's edition, in its order. Twenty-one of them are the same file under another
number; they stay, as the edition has them, and the split keeps copies together. All voices are merged
onto one keyboard; instruments that double the choir join it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from zoo.data.piece import Reading
from zoo.data.source import Source
from zoo.errors import DataError, Problem
from zoo.music.roll import FRAMES_PER_QUARTER, KEYS, LOWEST_KEY, Roll

NAME = "bach"
PLANES = frozenset({"onset", "sounding"})


def source() -> Source:
    """The chorales, read anew when music21 has another version.

    Raises:
        DataError: music21 is not installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        edition = version("music21")
    except PackageNotFoundError as error:
        cure = "pip install 'polyzoo[data]', or name a folder of MIDI files"
        raise DataError(Problem("the chorales come with music21, which is missing", NAME, cure)) from error
    return Source(name=NAME, planes=PLANES, size=371, read=_read, place=NAME, state=edition)


def _read() -> Iterator[Reading]:
    from music21 import corpus
    from music21.corpus import chorales

    known: dict[str, tuple[Roll, int]] = {}
    for number, title in enumerate(chorales.Iterator(returnType="filename"), start=1):
        if title not in known:
            known[title] = _chorale(corpus.parse(title, forceSource=True))
        roll, offset = known[title]
        yield Reading(f"{number:03} {title.removeprefix('bach/')}", roll, offset=offset)


def _chorale(score: Any) -> tuple[Roll, int]:
    """The roll of a score, and how many frames its first bar lacks because of an upbeat."""
    frames = _nearest(score.highestTime)
    onset = np.zeros((frames, KEYS), np.bool_)
    sounding = np.zeros((frames, KEYS), np.bool_)
    for part in score.parts:
        for note in part.flatten().notes:
            if note.duration.isGrace:
                continue
            start = _nearest(note.offset)
            end = max(start + 1, _nearest(note.offset + note.duration.quarterLength))
            for tone in note.notes if note.isChord else [note]:
                key = tone.pitch.midi - LOWEST_KEY
                sounding[start:end, key] = True
                held = tone.tie is not None and tone.tie.type in ("stop", "continue")
                onset[start, key] |= not held
    # A tie to a note that was never struck is a slip of the edition: a sounding key was pressed once.
    onset[1:] |= sounding[1:] & ~sounding[:-1]
    onset[0] |= sounding[0]
    first_bar = score.parts[0].getElementsByClass("Measure").first()
    return Roll(onset, sounding), _nearest(first_bar.paddingLeft)


def _nearest(quarters: Fraction | float) -> int:
    """The nearest place on the grid; the few thirty-seconds go up."""
    return int(quarters * FRAMES_PER_QUARTER + 0.5)
