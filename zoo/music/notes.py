"""The 88 keys of a piano, and notes on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zoo.parts.piano import LOWEST_KEY, PITCH_CLASSES

STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def key_name(key: int) -> str:
    """The name of a key (0..87): A0 to C8, with sharps."""
    octave, step = divmod(key + LOWEST_KEY, PITCH_CLASSES)
    return f"{STEPS[step]}{octave - 1}"


@dataclass(frozen=True)
class Notes:
    """The N notes of a piece.

    Attributes:
        start: (N,) int64, first frame; 0 or more.
        end: (N,) int64, frame after the last; greater than `start`.
        key: (N,) int64, 0..87, counted from A0.
        velocity: (N,) uint8, 1..127.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    key: NDArray[np.int64]
    velocity: NDArray[np.uint8]

    @classmethod
    def none(cls) -> Self:
        """Zero notes."""
        empty = np.zeros(0, dtype=np.int64)
        return cls(empty, empty, empty, empty.astype(np.uint8))

    def __len__(self) -> int:
        return len(self.start)

    def take(self, which: NDArray[np.int64]) -> Notes:
        """The notes at these indices, in this order."""
        return Notes(self.start[which], self.end[which], self.key[which], self.velocity[which])

    def on_one_keyboard(self) -> Notes:
        """Merge the notes of several voices onto one keyboard, sorted by key, then start.

        A key sounds while any voice holds it, and every new note strikes it again. If one voice holds C4
        while another repeats it, the repetitions are struck, and the last one sounds until both voices end.
        Of notes with the same key and start, the highest velocity is used. Every note lasts at least one
        frame.
        """
        if len(self) == 0:
            return self
        notes = self.take(np.lexsort((self.start, self.key)))
        is_first = (np.diff(notes.start, prepend=-1) != 0) | (np.diff(notes.key, prepend=-1) != 0)
        first = np.flatnonzero(is_first)
        start, key = notes.start[first], notes.key[first]
        end = np.maximum(np.maximum.reduceat(notes.end, first), start + 1)
        # A running maximum per key: each key is shifted above the keys before it.
        shift = key * (int(end.max()) + 1)
        end = np.maximum.accumulate(end + shift) - shift
        repeated = np.flatnonzero(key[1:] == key[:-1])
        end[repeated] = np.minimum(end[repeated], start[repeated + 1])
        return Notes(start, end, key, np.maximum.reduceat(notes.velocity, first))
