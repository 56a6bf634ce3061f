"""What sounds on a channel: a pitched instrument, drums, or a noise that has no place on a keyboard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.music.events import BANK, CHANGE, PART, VOICE, Columns

DRUM_CHANNEL = 9
"""The channel on which General MIDI has drums, counted from 0."""
PITCHED, DRUMS, PERCUSSIVE, EFFECT = range(4)
REASONS = {DRUMS: "drums", PERCUSSIVE: "percussive programs", EFFECT: "sound effects"}
"""Why the notes of a channel are left out, by what sounds on it."""
FIRST_PERCUSSIVE, FIRST_EFFECT = 112, 120
"""General MIDI programs, counted from 0: from tinkle bell and woodblock on, from fret noise on."""
GM2_DRUMS, GM2_MELODY = 120, 121
XG_EFFECTS, XG_EFFECT_KIT, XG_DRUMS = 64, 126, 127
"""Values of Bank Select in General MIDI 2 and Yamaha's XG that say what a channel is for."""
UNSAID = -1


def sounds(events: Columns, roland: bool) -> NDArray[np.int64]:
    """What sounds on the channel of each event when it comes.

    A program or bank of the event's own track counts before those of other tracks, since many programs put
    several instruments on one channel, each in a track of its own. A bank takes effect at once, as in
    FluidSynth, and not with the next program change.

    Args:
        events: all events of a file.
        roland: whether it speaks GS, in which banks 126 and 127 are older sounds of Roland's.

    Returns:
        (N,) int64: PITCHED, DRUMS, PERCUSSIVE or EFFECT.
    """
    bank = _latest(events, (events.kind == CHANGE) & (events.first == BANK), events.second)
    program = _latest(events, events.kind == VOICE, events.first)
    part = _latest_of_channel(events, events.kind == PART, events.first)
    xg_drums = (bank == XG_DRUMS) | (bank == XG_EFFECT_KIT)
    drums = np.where(part == UNSAID, events.channel % 16 == DRUM_CHANNEL, part == 1)
    drums = drums & (bank != GM2_MELODY) | (bank == GM2_DRUMS) | (xg_drums & (not roland))
    found = np.where(
        program >= FIRST_EFFECT, EFFECT, np.where(program >= FIRST_PERCUSSIVE, PERCUSSIVE, PITCHED)
    )
    found = np.where((bank == XG_EFFECTS) & (not roland), EFFECT, found)
    return np.where(drums, DRUMS, found)


def _latest(events: Columns, said: NDArray[np.bool_], value: NDArray[np.int64]) -> NDArray[np.int64]:
    """What was said last on the channel of each event: in its own track, else in any track."""
    count = len(said)
    order = events.voices() * count + np.arange(count)
    own = _before(order[said], order, value[said], count)
    return np.where(own == UNSAID, _latest_of_channel(events, said, value), own)


def _latest_of_channel(
    events: Columns, said: NDArray[np.bool_], value: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What was said last, at each event's tick, on its channel by any track."""
    moments = events.moments()
    return _before(moments[said], moments, value[said], events.longest)


def _before(
    said: NDArray[np.int64], asked: NDArray[np.int64], value: NDArray[np.int64], length: int
) -> NDArray[np.int64]:
    """The value said last at or before each place that is asked for, on time lines of one length."""
    if len(said) == 0:
        return np.full(len(asked), UNSAID)
    order = np.argsort(said, kind="stable")
    at = np.searchsorted(said[order], asked, side="right") - 1
    found = order[at.clip(min=0)]
    here = (at >= 0) & (said[found] // length == asked // length)
    return np.where(here, value[found], UNSAID)
