"""Find out whether a MIDI channel plays a pitched instrument, drums, or sound effects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.music.events import BANK, CHANGE, PART, VOICE, Columns

DRUM_CHANNEL = 9
"""The drum channel of General MIDI, counted from 0."""
PITCHED, DRUMS, PERCUSSIVE, EFFECT = range(4)
REASONS = {DRUMS: "drums", PERCUSSIVE: "percussive programs", EFFECT: "sound effects"}
"""Why notes are left out, by the kind of sound."""
FIRST_PERCUSSIVE, FIRST_EFFECT = 112, 120
"""General MIDI programs, counted from 0: 112 (tinkle bell) to 119 and 120 (fret noise) to 127."""
GM2_DRUMS, GM2_MELODY = 120, 121
XG_EFFECTS, XG_EFFECT_KIT, XG_DRUMS = 64, 126, 127
"""Values of Bank Select in General MIDI 2 and Yamaha's XG that select drums, melodies or effects."""
UNSET = -1


def sounds(events: Columns, roland: bool) -> NDArray[np.int64]:
    """The kind of sound on the channel of each event, at the time of the event.

    A program or bank that is set in the event's own track takes precedence over those of other tracks, since
    many programs write several instruments to one channel, each in its own track. A bank takes effect at
    once, as in FluidSynth, instead of with the next program change.

    Args:
        events: all events of a file.
        roland: whether the file uses Roland's GS, in which banks 126 and 127 are other melodic sounds.

    Returns:
        (N,) int64: PITCHED, DRUMS, PERCUSSIVE or EFFECT.
    """
    bank = _latest(events, (events.kind == CHANGE) & (events.first == BANK), events.second)
    program = _latest(events, events.kind == VOICE, events.first)
    part_mode = _latest_on_channel(events, events.kind == PART, events.first)
    xg_drums = (bank == XG_DRUMS) | (bank == XG_EFFECT_KIT)
    is_drums = np.where(part_mode == UNSET, events.channel % 16 == DRUM_CHANNEL, part_mode == 1)
    is_drums = is_drums & (bank != GM2_MELODY) | (bank == GM2_DRUMS) | (xg_drums & (not roland))
    kind = np.where(
        program >= FIRST_EFFECT, EFFECT, np.where(program >= FIRST_PERCUSSIVE, PERCUSSIVE, PITCHED)
    )
    kind = np.where((bank == XG_EFFECTS) & (not roland), EFFECT, kind)
    return np.where(is_drums, DRUMS, kind)


def _latest(events: Columns, sets: NDArray[np.bool_], value: NDArray[np.int64]) -> NDArray[np.int64]:
    """The latest value on the channel of each event, set in its own track or else in any track.

    Args:
        events: all events of a file.
        sets: (N,) whether an event sets the value.
        value: (N,) the value that it sets.
    """
    count = len(sets)
    order = events.voices() * count + np.arange(count)
    own = _at_or_before(order[sets], value[sets], order, count)
    return np.where(own == UNSET, _latest_on_channel(events, sets, value), own)


def _latest_on_channel(
    events: Columns, sets: NDArray[np.bool_], value: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The latest value on the channel of each event at its tick, set in any track."""
    moments = events.moments()
    return _at_or_before(moments[sets], value[sets], moments, events.longest)


def _at_or_before(
    times: NDArray[np.int64], values: NDArray[np.int64], queries: NDArray[np.int64], length: int
) -> NDArray[np.int64]:
    """The latest value at or before each query time; UNSET if there is none.

    Times are numbers `timeline * length + time`, so that one search serves all channels; values do not carry
    over from one timeline to the next.
    """
    if len(times) == 0:
        return np.full(len(queries), UNSET)
    order = np.argsort(times, kind="stable")
    rank = np.searchsorted(times[order], queries, side="right") - 1
    index = order[rank.clip(min=0)]
    same_timeline = (rank >= 0) & (times[index] // length == queries // length)
    return np.where(same_timeline, values[index], UNSET)
