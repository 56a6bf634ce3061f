"""Pairing: which release ends which press, and what the sustain pedal adds."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoo.music.events import CHANGE, NOTE, SILENCES, Columns
from zoo.music.score import Score, Ticks

NEVER = 2**62
"""A tick that does not come: of a key that is not released."""

Places = NDArray[np.int64]
Marks = NDArray[np.bool_]


def releases(events: Columns) -> tuple[Ticks, int]:
    """The tick at which each press ends: first in, first out for each track, channel and key.

    Where a key is pressed more often than it is released, one release ends two presses. What its own track
    does not release, a spare release in another track does, as in a player, which knows channels and no
    tracks. A spare release directly before a press of the same tick is that press's own: some programs sort
    releases before presses. All Sound Off and All Notes Off end what their track has sounding on their
    channel, what all tracks have there where their own plays nothing on it, and whatever nothing else ends.

    Returns:
        (N,) int64, a tick for each event; NEVER where a press does not end, and for events of other kinds.
        And how many presses are ended by another track.
    """
    end = np.full(len(events.tick), NEVER)
    silences = _Silences(events)
    keys = _Keys.of(events, silences)
    if len(keys.event) == 0:
        return end, 0
    spare, extra = keys.unpaired()
    end[keys.event[keys.down & ~extra]] = keys.tick[~keys.down & ~spare]
    end[keys.event[extra]] = np.minimum(keys.next_release(spare), silences.after(keys.event))[extra]
    together = (keys.tick[1:] == keys.tick[:-1]) & ~keys.first[1:]
    swapped = np.flatnonzero(extra[1:] & spare[:-1] & together)
    end[keys.event[swapped + 1]] = keys.tick[swapped]
    extra[swapped + 1] = spare[swapped] = False
    return end, _release_elsewhere(events, keys.event[extra], keys.event[spare], end)


class _Silences:
    """Where All Sound Off and All Notes Off stand among the events of a file."""

    def __init__(self, events: Columns) -> None:
        self.events = events
        self.moments = events.moments()
        found = (events.kind == CHANGE) & np.isin(events.first, list(SILENCES))
        voices = events.voices()
        own = found & np.isin(voices, np.unique(voices[events.kind == NOTE]))
        self.order = voices * len(voices) + np.arange(len(voices))
        self.own = np.sort(self.order[own])
        self.shared = np.sort(self.moments[found & ~own])
        self.all = np.sort(self.moments[found])

    def passed(self) -> Places:
        """A number for each event that rises, along a voice, with every silence that it hears."""
        return np.searchsorted(self.own, self.order) + np.searchsorted(
            self.shared, self.moments, side="right"
        )

    def after(self, where: Places) -> Ticks:
        """The tick of the first silence after each of these events; NEVER where none follows."""
        tick, count = self.events.tick, len(self.events.tick)
        own = np.append(self.own, NEVER)[np.searchsorted(self.own, self.order[where])]
        own_tick = np.where(own // count == self.order[where] // count, tick[own % count], NEVER)
        longest = self.events.longest
        other = np.append(self.all, NEVER)[np.searchsorted(self.all, self.moments[where], side="right")]
        other_tick = np.where(other // longest == self.moments[where] // longest, other % longest, NEVER)
        return np.minimum(own_tick, other_tick)


@dataclass(frozen=True)
class _Keys:
    """Presses and releases, sorted by track, channel and key, and in the order of the file there.

    A stretch is what one key of a track and channel does without a silence in between.

    Attributes:
        event: (N,) where they stand among all events.
        tick: (N,) when they come.
        down: (N,) whether the key goes down.
        first: (N,) whether a stretch begins.
    """

    event: Places
    tick: Ticks
    down: Marks
    first: Marks

    @classmethod
    def of(cls, events: Columns, silences: _Silences) -> _Keys:
        """The notes among events."""
        where = np.flatnonzero(events.kind == NOTE)
        key = events.voices()[where] << 7 | events.first[where]
        order = np.argsort(key, kind="stable")
        where, key, passed = where[order], key[order], silences.passed()[where[order]]
        same = (key[1:] == key[:-1]) & (passed[1:] == passed[:-1])
        first = np.concatenate([np.ones(min(len(where), 1), np.bool_), ~same])
        return cls(where, events.tick[where], events.second[where] > 0, first)

    def unpaired(self) -> tuple[Marks, Marks]:
        """Releases that find no key down, and presses after which their key is never up again."""
        step = np.where(self.down, 1, -1)
        stretch = np.cumsum(self.first) - 1
        total = np.cumsum(step)
        level = total - (total - step)[self.first][stretch]
        # Each stretch is set off from the next by more than any level, so that minima do not mix.
        apart = stretch * (len(level) + 1)
        lowest = np.minimum(np.minimum.accumulate(level - apart) + apart, 0)
        lowest_before = np.where(self.first, 0, np.append(0, lowest[:-1]))
        depth = level - lowest
        lowest_after = np.minimum.accumulate((depth + apart)[::-1])[::-1] - apart
        return ~self.down & (level < lowest_before), self.down & (lowest_after >= depth)

    def next_release(self, spare: Marks) -> Ticks:
        """The tick of the next release in the same stretch that ends a press; NEVER where there is none."""
        count = len(self.tick)
        stretch = np.cumsum(self.first)
        place = np.where(~self.down & ~spare, np.arange(count), count)
        place = np.minimum.accumulate(place[::-1])[::-1]
        here = np.append(stretch, 0)[place] == stretch
        return np.where(here, np.append(self.tick, NEVER)[place], NEVER)


def _release_elsewhere(events: Columns, extra: Places, spare: Places, end: Ticks) -> int:
    """Let spare releases end extra presses of their channel and key in other tracks; how many they do."""
    waiting: dict[int, deque[int]] = defaultdict(deque)
    where = np.concatenate([spare, extra])
    where = where[np.argsort(events.tick[where], kind="stable")] if len(spare) and len(extra) else where[:0]
    down = events.second[where] > 0
    key = events.channel[where] << 7 | events.first[where]
    ended = 0
    for event, pressed, voice in zip(where.tolist(), down.tolist(), key.tolist(), strict=True):
        tick, queue = events.tick[event], waiting[voice]
        while queue and not pressed and end[queue[0]] <= tick:
            queue.popleft()
        if pressed:
            queue.append(event)
        elif queue:
            end[queue.popleft()] = tick
            ended += 1
    return ended


def held(score: Score) -> Score:
    """The score as it sounds with the sustain pedal: a note lasts until the pedal rises.

    It ends before where its key is pressed again on its channel, and with the tracks where the pedal stays
    down. A pedal that goes down at the tick of a release holds the note, as in note_seq's
    `apply_sustain_control_changes` (Magenta).
    """
    end = score.end.copy()
    for channel, moves in score.pedal.items():
        here = np.flatnonzero(score.channel == channel)
        ticks = np.array([tick for tick, _ in moves], np.int64)
        down = np.array([False, *(pressed for _, pressed in moves)])
        rises = np.append(ticks, max(score.last, int(score.end.max(initial=0))))
        move = np.searchsorted(ticks, end[here], side="right")
        until = np.minimum(rises[move], _pressed_again(score, here))
        end[here] = np.where(down[move], np.maximum(until, end[here]), end[here])
    return replace(score, end=end)


def _pressed_again(score: Score, here: Places) -> Ticks:
    """When the key of each of these notes, of one channel, is pressed after the note has ended."""
    start, pitch = score.start[here], score.pitch[here]
    longest = int(score.end.max(initial=0)) + 2
    presses = np.sort(pitch * longest + start)
    over = pitch * longest + np.maximum(score.end[here], start + 1)
    after = np.append(presses, NEVER)[np.searchsorted(presses, over)]
    return np.where(after // longest == pitch, after % longest, NEVER)
