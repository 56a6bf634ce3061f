"""What can be said of music without hearing it: how much there is, how dense, how high and low."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.data.corpus import Corpus
from zoo.music.roll import KEYS, LOWEST_KEY, Roll


@dataclass(frozen=True)
class Summary:
    """Some pieces in numbers.

    Attributes:
        pieces: how many.
        frames: their length together, in sixteenths.
        notes: how many keys are pressed; None where nobody knows.
        polyphony: keys that sound in a frame, on average over all frames.
        most: keys that sound in the fullest frame.
        silence: share of the frames in which no key sounds.
        lowest: MIDI pitch of the lowest key that sounds; None if none does.
        highest: and of the highest.
        loudness: mean velocity of the pressed keys, 1..127; None where nobody knows.
    """

    pieces: int
    frames: int
    notes: int | None
    polyphony: float
    most: int
    silence: float
    lowest: int | None
    highest: int | None
    loudness: float | None


def summarise(corpus: Corpus) -> Summary:
    """All pieces of a corpus in numbers, one in memory at a time."""
    tally = _Tally()
    for index in range(len(corpus.pieces)):
        tally.add(corpus.roll(index))
    return tally.summary(corpus.planes)


class _Tally:
    """Counts over the pieces seen so far."""

    def __init__(self) -> None:
        self.pieces = self.notes = self.loud = 0
        self.chords = np.zeros(KEYS + 1, np.int64)
        self.keys = np.zeros(KEYS, np.int64)

    def add(self, roll: Roll) -> None:
        self.pieces += 1
        self.chords += np.bincount(roll.sounding.sum(1), minlength=KEYS + 1)
        self.keys += roll.sounding.sum(0)
        self.notes += 0 if roll.onset is None else int(roll.onset.sum())
        self.loud += 0 if roll.velocity is None else int(roll.velocity.sum())

    def summary(self, planes: frozenset[str]) -> Summary:
        frames = int(self.chords.sum())
        heard = np.flatnonzero(self.keys) + LOWEST_KEY
        return Summary(
            pieces=self.pieces,
            frames=frames,
            notes=self.notes if "onset" in planes else None,
            polyphony=float(self.keys.sum() / max(frames, 1)),
            most=int(np.flatnonzero(self.chords).max(initial=0)),
            silence=float(self.chords[0] / max(frames, 1)),
            lowest=int(heard[0]) if len(heard) else None,
            highest=int(heard[-1]) if len(heard) else None,
            loudness=self.loud / self.notes if "velocity" in planes and self.notes else None,
        )
