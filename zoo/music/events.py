"""The events of a MIDI file that affect its notes."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NOTE, CHANGE, VOICE, PART = 0x9, 0xB, 0xC, 0xF
"""Kinds of events: a press or release, a control change, a program change, the part mode of a channel."""
BANK, PEDAL, ALL_SOUND_OFF, RESET = 0, 64, 120, 121
"""Controllers of MIDI 1.0: Bank Select, Damper Pedal, All Sound Off, Reset All Controllers."""
SILENCES = frozenset({ALL_SOUND_OFF, *range(123, 128)})
"""All Sound Off, All Notes Off, and the four mode changes that imply All Notes Off."""
LAST_TICK = 2**44
"""Ticks of later events are clipped to this one, which keeps sums below 64 bits; no music is that long."""


@dataclass(frozen=True)
class Track:
    """A track of a file.

    Attributes:
        title: its name, or that of its instrument; may be empty.
        first: index of its first event among the events of the file.
        end: tick of its End of Track.
    """

    title: str
    first: int
    end: int


@dataclass
class Events:
    """The events of a file that affect its notes, in the order of the file, that is track by track.

    Attributes:
        division: ticks per quarter note.
        ticks: tick of each event.
        codes: the events as kind << 28 | channel << 16 | first value << 8 | second value. The kind is NOTE
            (pitch and velocity, 0 for a release), CHANGE (controller and value), VOICE (program) or PART (1
            if a system exclusive message sets the channel to drums, 0 if to a melody). Channels are counted
            from 0, with 16 more for each further port.
        tracks: the tracks, in order.
        tempos: (tick, microseconds per quarter note).
        signatures: (tick, upper number, lower number).
        markers: (tick, text) of markers and cue points.
        roland: whether the file uses Roland's GS, in which bank numbers have other meanings.
        repairs: number of harmless faults that were repaired, by kind.
        count: number of events of any kind, including those that are not stored.
    """

    division: int = 0
    ticks: array[int] = field(default_factory=lambda: array("q"))
    codes: array[int] = field(default_factory=lambda: array("q"))
    tracks: list[Track] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    signatures: list[tuple[int, int, int]] = field(default_factory=list)
    markers: list[tuple[int, str]] = field(default_factory=list)
    roland: bool = False
    repairs: Counter[str] = field(default_factory=Counter)
    count: int = 0


@dataclass(frozen=True)
class Columns:
    """The events as columns, each (N,) int64, in the order of the file; see `Events`."""

    tick: NDArray[np.int64]
    track: NDArray[np.int64]
    kind: NDArray[np.int64]
    channel: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @classmethod
    def of(cls, events: Events) -> Columns:
        """Unpack events."""
        codes = np.frombuffer(events.codes, np.int64)
        starts = [track.first for track in events.tracks]
        track = np.repeat(np.arange(len(starts)), np.diff([*starts, len(codes)]))
        tick = np.minimum(np.frombuffer(events.ticks, np.int64), LAST_TICK)
        return cls(tick, track, codes >> 28, codes >> 16 & 0xFFF, codes >> 8 & 0xFF, codes & 0xFF)

    @property
    def longest(self) -> int:
        """One more than the last tick."""
        return int(self.tick.max(initial=0)) + 1

    def voices(self) -> NDArray[np.int64]:
        """A number (N,) for the track and channel of each event."""
        return self.track << 12 | self.channel

    def moments(self) -> NDArray[np.int64]:
        """A number (N,) for the channel and tick of each event: channel * `longest` + tick."""
        return self.channel * self.longest + self.tick
