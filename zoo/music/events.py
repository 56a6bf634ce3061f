"""Events of a MIDI file that bear on its notes: what the walk through its bytes keeps, and its names."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NOTE, CHANGE, VOICE, PART = 0x9, 0xB, 0xC, 0xF
"""Kinds of event: a press or release, a control change, a program, whether a channel has drums."""
BANK, PEDAL, ALL_SOUND_OFF, RESET = 0, 64, 120, 121
"""Controllers, named as MIDI 1.0 does: Bank Select, Damper Pedal, All Sound Off, Reset All Controllers."""
SILENCES = frozenset({ALL_SOUND_OFF, *range(123, 128)})
"""All Sound Off, All Notes Off, and the four changes of mode that mean All Notes Off too."""
LAST_TICK = 2**44
"""Later events are taken to come then; no music is that long."""


@dataclass(frozen=True)
class Track:
    """What a track is called and where it ends.

    Attributes:
        title: its name, or that of its instrument; may be empty.
        first: how many events of the file are kept before its own.
        end: tick of its End of Track.
    """

    title: str
    first: int
    end: int


@dataclass
class Events:
    """What the walk found: events in the order of the file, so track by track, and what goes with them.

    Attributes:
        division: ticks to the quarter note.
        ticks: of each event that is kept.
        codes: the same events: kind << 28 | channel << 16 | first value << 8 | second value, where kind is
            NOTE (pitch and velocity, 0 for a release), CHANGE (controller and value), VOICE (program) or
            PART (1 where a system exclusive message gives the channel drums, 0 where a melody). Channels
            count from 0, 16 more for each further port.
        tracks: in the file's order.
        tempos: (tick, microseconds to the quarter note).
        signatures: (tick, upper number, lower number).
        markers: (tick, text) of markers and cue points.
        roland: whether the file speaks GS, in which banks of sounds have other numbers.
        repairs: how often each harmless fault was stepped over.
        count: how many events there are, of whatever kind.
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
    """Events as columns, each (N,) int64, in the order of the file; see `Events`."""

    tick: NDArray[np.int64]
    track: NDArray[np.int64]
    kind: NDArray[np.int64]
    channel: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @classmethod
    def of(cls, events: Events) -> Columns:
        """The events of a walk."""
        codes = np.frombuffer(events.codes, np.int64)
        starts = [track.first for track in events.tracks]
        track = np.repeat(np.arange(len(starts)), np.diff([*starts, len(codes)]))
        tick = np.minimum(np.frombuffer(events.ticks, np.int64), LAST_TICK)
        return cls(tick, track, codes >> 28, codes >> 16 & 0xFFF, codes >> 8 & 0xFF, codes & 0xFF)

    @property
    def longest(self) -> int:
        """More ticks than any event comes after."""
        return int(self.tick.max(initial=0)) + 1

    def voices(self) -> NDArray[np.int64]:
        """A number for each track and channel."""
        return self.track << 12 | self.channel

    def moments(self) -> NDArray[np.int64]:
        """A number for each channel and tick: channel * `longest` + tick."""
        return self.channel * self.longest + self.tick
