"""The roll: a piece on a sixteenth grid as three planes, pressed, sounding and how loud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LOWEST_KEY = 21
"""MIDI pitch of the first of the 88 keys, A0."""
KEYS = 88
FRAMES_PER_QUARTER = 4
FRAMES_PER_BAR = 16


@dataclass(frozen=True)
class Roll:
    """One piece on the grid, 4 frames to the quarter note.

    Pressed and sounding are separate planes, so a held note and a repeated one stay different
    (pretty_midi's own piano roll loses that).

    Attributes:
        onset: (T, 88) bool, the key is pressed in this frame. None where the source does not say.
        sounding: (T, 88) bool, the key sounds in this frame; true wherever `onset` is.
        velocity: (T, 88) uint8, 1..127 where a key is pressed, else 0. None where nobody knows.
        tempo: quarter notes per minute, for playing it back.
    """

    onset: NDArray[np.bool_] | None
    sounding: NDArray[np.bool_]
    velocity: NDArray[np.uint8] | None = None
    tempo: float = 120.0

    @property
    def frames(self) -> int:
        """T, the length on the grid."""
        return int(self.sounding.shape[0])

    def write(self, path: str | Path) -> None:
        """Write a MIDI file that plays the roll."""
        from zoo.music.midi import write_midi

        write_midi(self, path)
