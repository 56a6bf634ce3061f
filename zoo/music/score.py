"""The score: the notes of a MIDI file in ticks, before they are put on a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """Notes and timing of the selected tracks, without drums.

    Attributes:
        division: ticks per quarter note.
        start: (N,) int64, tick at which each note is pressed; notes are sorted by it.
        end: (N,) int64, tick at which each note ends; may equal `start`.
        pitch: (N,) int64, MIDI pitch, 0..127.
        velocity: (N,) uint8, 1..127.
        channel: (N,) int64, 0..15, with 16 more for each further port.
        tempos: (tick, microseconds per quarter note) of all tempo events, by tick.
        signatures: (tick, upper number, lower number) of all valid time signatures, by tick.
        markers: (tick, text) of markers and cue points, by tick.
        pedal: for each channel, (tick, whether the sustain pedal is down) of all its changes, by tick.
        last: tick at which the selected tracks end, including a rest at the end; not before the last note.
        tracks: title and number of notes of each track, selected or not; the title may be empty.
        repairs: number of harmless faults that were repaired, by kind.
        left_out: number of notes that were left out, by reason: "drums", "percussive programs", "sound
            effects", and stray notes far behind the others, with the key and time of the first.
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
