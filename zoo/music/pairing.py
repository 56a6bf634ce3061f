"""Pair presses with releases, and extend notes by the sustain pedal."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoo.music.events import CHANGE, NOTE, SILENCES, Columns
from zoo.music.score import Score, Ticks

NEVER = 2**62
"""The tick at which a key that is never released is released."""

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


def releases(events: Columns) -> tuple[Ticks, int]:
    """Find the tick at which each press ends; first in, first out for each track, channel and key.

    If a key is pressed more often than it is released, one release ends two presses. A press that is not
    released in its own track is ended by a spare release in another track, since MIDI players know channels
    but not tracks. A spare release just before a press at the same tick belongs to that press, since some
    programs sort releases before presses. All Sound Off and All Notes Off end all notes of their own track
    and channel. If their track has no notes on that channel, they end the notes of all tracks on it. They
    also end any other note on the channel that is not ended otherwise.

    Returns:
        (N,) int64, a tick for each event: NEVER if a press does not end, and for events that are not presses.
        Also, the number of presses that are ended by another track.
    """
    end = np.full(len(events.tick), NEVER)
    silences = _Silences(events)
    keys = _Keys.of(events, silences)
    if len(keys.event) == 0:
        return end, 0
    spare, extra = keys.unpaired()
    # Without spare releases and extra presses, each section has as many presses as releases, and its k-th
    # press is ended by its k-th release. Sections are contiguous, so one assignment pairs all of them.
    end[keys.event[keys.down & ~extra]] = keys.tick[~keys.down & ~spare]
    end[keys.event[extra]] = np.minimum(keys.next_release(spare), silences.after(keys.event))[extra]
    same_tick = (keys.tick[1:] == keys.tick[:-1]) & ~keys.first[1:]
    swapped = np.flatnonzero(extra[1:] & spare[:-1] & same_tick)
    end[keys.event[swapped + 1]] = keys.tick[swapped]
    extra[swapped + 1] = spare[swapped] = False
    return end, _release_from_other_tracks(events, keys.event[extra], keys.event[spare], end)


class _Silences:
    """The All Sound Off and All Notes Off events of a file.

    Those in a track with notes on their channel affect their own track only, the others all tracks.
    """

    def __init__(self, events: Columns) -> None:
        self.events = events
        self.moments = events.moments()
        is_silence = (events.kind == CHANGE) & np.isin(events.first, list(SILENCES))
        voices = events.voices()
        is_own = is_silence & np.isin(voices, np.unique(voices[events.kind == NOTE]))
        self.order = voices * len(voices) + np.arange(len(voices))
        self.own = np.sort(self.order[is_own])
        self.shared = np.sort(self.moments[is_silence & ~is_own])
        self.all = np.sort(self.moments[is_silence])

    def counts(self) -> Indices:
        """A number (N,) for each event that increases with every silence along its track and channel."""
        return np.searchsorted(self.own, self.order) + np.searchsorted(
            self.shared, self.moments, side="right"
        )

    def after(self, index: Indices) -> Ticks:
        """The tick of the first silence after each of these events; NEVER if there is none."""
        tick, count = self.events.tick, len(self.events.tick)
        own = np.append(self.own, NEVER)[np.searchsorted(self.own, self.order[index])]
        own_tick = np.where(own // count == self.order[index] // count, tick[own % count], NEVER)
        longest = self.events.longest
        any_track = np.append(self.all, NEVER)[np.searchsorted(self.all, self.moments[index], side="right")]
        same_channel = any_track // longest == self.moments[index] // longest
        return np.minimum(own_tick, np.where(same_channel, any_track % longest, NEVER))


@dataclass(frozen=True)
class _Keys:
    """Presses and releases, sorted by track, channel and key, then in the order of the file.

    A section consists of the events of one key, in one track and channel, between two silences.

    Attributes:
        event: (N,) index among all events.
        tick: (N,) tick of the event.
        down: (N,) whether it is a press.
        first: (N,) whether it is the first event of a section.
    """

    event: Indices
    tick: Ticks
    down: Mask
    first: Mask

    @classmethod
    def of(cls, events: Columns, silences: _Silences) -> _Keys:
        """Select and sort the presses and releases among the events of a file."""
        index = np.flatnonzero(events.kind == NOTE)
        key = events.voices()[index] << 7 | events.first[index]
        order = np.argsort(key, kind="stable")
        index, key, silence_count = index[order], key[order], silences.counts()[index[order]]
        same_section = (key[1:] == key[:-1]) & (silence_count[1:] == silence_count[:-1])
        first = np.concatenate([np.ones(min(len(index), 1), np.bool_), ~same_section])
        return cls(index, events.tick[index], events.second[index] > 0, first)

    def unpaired(self) -> tuple[Mask, Mask]:
        """Spare releases, before which the key is up, and extra presses, after which it never is again.

        As with brackets: `level` is the number of presses minus releases since the section began. A release
        is spare if it takes the level below its previous minimum (and below 0). Without the spare releases,
        the level is `depth`, and a press is extra if the depth never falls below it again.
        """
        step = np.where(self.down, 1, -1)
        section = np.cumsum(self.first) - 1
        total = np.cumsum(step)
        level = total - (total - step)[self.first][section]
        # Running minima must not cross sections: shift each section by more than any level.
        shift = section * (len(level) + 1)
        lowest = np.minimum(np.minimum.accumulate(level - shift) + shift, 0)
        lowest_before = np.where(self.first, 0, np.append(0, lowest[:-1]))
        depth = level - lowest
        lowest_after = np.minimum.accumulate((depth + shift)[::-1])[::-1] - shift
        return ~self.down & (level < lowest_before), self.down & (lowest_after >= depth)

    def next_release(self, spare: Mask) -> Ticks:
        """The tick of the next paired release in the same section; NEVER if there is none."""
        count = len(self.tick)
        section = np.cumsum(self.first)
        index = np.where(~self.down & ~spare, np.arange(count), count)
        index = np.minimum.accumulate(index[::-1])[::-1]
        same_section = np.append(section, 0)[index] == section
        return np.where(same_section, np.append(self.tick, NEVER)[index], NEVER)


def _release_from_other_tracks(events: Columns, extra: Indices, spare: Indices, end: Ticks) -> int:
    """End extra presses by spare releases of the same channel and key in other tracks, and count them."""
    waiting: dict[int, deque[int]] = defaultdict(deque)
    index = np.concatenate([spare, extra])
    index = index[np.argsort(events.tick[index], kind="stable")] if len(spare) and len(extra) else index[:0]
    down = events.second[index] > 0
    key = events.channel[index] << 7 | events.first[index]
    count = 0
    for event, is_press, channel_key in zip(index.tolist(), down.tolist(), key.tolist(), strict=True):
        tick, queue = events.tick[event], waiting[channel_key]
        while queue and not is_press and end[queue[0]] <= tick:  # already ended
            queue.popleft()
        if is_press:
            queue.append(event)
        elif queue:
            end[queue.popleft()] = tick
            count += 1
    return count


def with_pedal(score: Score) -> Score:
    """Extend notes to where the sustain pedal is released.

    A note ends earlier if its key is pressed again on its channel. If the pedal is never released, the note
    ends with the tracks. A pedal that is pressed at the tick of a release sustains the note, as in note_seq's
    `apply_sustain_control_changes` (Magenta).
    """
    end = score.end.copy()
    for channel, changes in score.pedal.items():
        notes = np.flatnonzero(score.channel == channel)
        ticks = np.array([tick for tick, _ in changes], np.int64)
        down = np.array([False, *(is_down for _, is_down in changes)])
        # `changes` alternates between down and up, so if the pedal is down, the next change releases it.
        next_change = np.append(ticks, max(score.last, int(score.end.max(initial=0))))
        state = np.searchsorted(ticks, end[notes], side="right")
        until = np.minimum(next_change[state], _pressed_again(score, notes))
        end[notes] = np.where(down[state], np.maximum(until, end[notes]), end[notes])
    return replace(score, end=end)


def _pressed_again(score: Score, notes: Indices) -> Ticks:
    """The tick at which the key of each note is next pressed after its end; all notes are of one channel."""
    start, pitch = score.start[notes], score.pitch[notes]
    longest = int(score.end.max(initial=0)) + 2
    presses = np.sort(pitch * longest + start)
    ends = pitch * longest + np.maximum(score.end[notes], start + 1)
    following = np.append(presses, NEVER)[np.searchsorted(presses, ends)]
    return np.where(following // longest == pitch, following % longest, NEVER)
