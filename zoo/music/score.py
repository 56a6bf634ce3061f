"""The score: what a MIDI file plays, in its own ticks, before it is put on a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """Notes and timing of the tracks that were asked for; drums are not among them.

    Attributes:
        division: ticks to a quarter note.
        start: (N,) int64, the tick at which each note is pressed; notes are ordered by it.
        end: (N,) int64, the tick at which it is released; may equal `start`.
        pitch: (N,) int64, MIDI pitch, 0..127.
        velocity: (N,) uint8, 1..127.
        channel: (N,) int64, 0..15, and 16 more for each further port that the file names.
        tempos: (tick, microseconds to the quarter note) of every tempo event, by tick.
        signatures: (tick, upper number, lower number) of every sound time signature, by tick.
        markers: (tick, text) of markers and cue points, by tick.
        pedal: (tick, whether the sustain pedal goes down) by tick, for each channel.
        last: tick at which the tracks that were asked for end, after a rest if they end with one; never
            before the last note.
        tracks: title of each track of the file, asked for or not, and how many notes it has; the title may
            be empty.
        repairs: how often each harmless fault was stepped over.
        left_out: how many notes were not read, by the reason: "drums", "percussive programs", "sound
            effects", and stray notes far behind the others, with the key and place of the first.
    """

    division: int
    start: Ticks
    end: Ticks
    pitch: NDArray[np.int64]
    velocity: NDArray[np.uint8]
    channel: NDArray[np.int64]
    tempos: Sequence[tuple[int, int]] = ()
    signatures: Sequence[tuple[int, int, int]] = ()
    markers: Sequence[tuple[int, str]] = ()
    pedal: Mapping[int, Sequence[tuple[int, bool]]] = field(default_factory=dict)
    last: int = 0
    tracks: Sequence[tuple[str, int]] = ()
    repairs: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
