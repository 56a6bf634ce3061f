"""Write a roll as a MIDI file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.files import write_file
from zoo.music.meter import Meter, TimeSignature
from zoo.music.tempo import microseconds
from zoo.parts.piano import LOWEST_KEY

if TYPE_CHECKING:
    from zoo.music.roll import Roll

RESOLUTION = 480
"""Ticks per quarter note, if a frame is a whole number of ticks; else a multiple of it."""
MAX_UNIT = 128
"""Maximum lower number of a time signature that readers accept."""
MAX_BEATS = 255
"""Maximum upper number of a time signature in MIDI."""


def write_midi(roll: Roll, path: str | Path, *, instrument: int = 0) -> None:
    """Write a roll as a single track, with its meter and tempo; the same roll always gives the same bytes.

    Time signatures are written at their bar lines, up to the end of the roll. An upbeat is written as a short
    first bar: 1/4, then 4/4. If no time signature is as short as the upbeat (for example, a third of a
    quarter note), the time signature is written twice, at the beginning and at the first bar line. Silence at
    the end is preserved: the track ends after it.

    Args:
        roll: the music.
        path: the file.
        instrument: General MIDI program, 0..127; 0 is a grand piano.

    Raises:
        ZooError: the file cannot be written; an existing file is unchanged.
    """
    write_file(path, midi_bytes(roll, instrument))


def midi_bytes(roll: Roll, instrument: int = 0) -> bytes:
    """The content of the file that `write_midi` writes."""
    import mido

    division = lcm(RESOLUTION, roll.meter.grid)
    midi = mido.MidiFile(ticks_per_beat=division, tracks=[_timing(roll), _piano(roll, instrument)])
    content = io.BytesIO()
    midi.save(file=content)
    return content.getvalue()


def _timing(roll: Roll) -> Any:
    """The track with tempo and time signatures."""
    import mido

    ticks = lcm(RESOLUTION, roll.meter.grid) // roll.meter.grid
    tempos = roll.tempo_changes or ((0, roll.tempo),)
    events = [
        (frame * ticks, mido.MetaMessage("set_tempo", tempo=microseconds(tempo))) for frame, tempo in tempos
    ]
    for change in signatures(roll.meter, roll.frames):
        meta = mido.MetaMessage("time_signature", numerator=change.beats, denominator=change.unit)
        events.append((change.frame * ticks, meta))
    return _track(sorted(events, key=lambda event: event[0]))


def _piano(roll: Roll, instrument: int) -> Any:
    """The track with the notes."""
    import mido

    ticks = lcm(RESOLUTION, roll.meter.grid) // roll.meter.grid
    notes = roll.notes()
    pitch = np.tile(notes.key + LOWEST_KEY, 2)
    frame = np.concatenate([notes.start, notes.end])
    velocity = np.concatenate([notes.velocity, np.zeros_like(notes.velocity)])
    order = np.lexsort((velocity, pitch, frame))  # in a frame, releases of a key come before its press
    rows = zip(*(column[order].tolist() for column in (frame * ticks, pitch, velocity)), strict=True)
    program = mido.Message("program_change", program=instrument)
    events = [(0, mido.MetaMessage("track_name", name=track_name(instrument))), (0, program)]
    events += [(tick, mido.Message("note_on", note=note, velocity=value)) for tick, note, value in rows]
    return _track(events, end=roll.frames * ticks)


def track_name(instrument: int) -> str:
    """The title of the track: Piano, or the General MIDI name of another instrument."""
    if instrument == 0:
        return "Piano"
    from pretty_midi import program_to_instrument_name

    name: str = program_to_instrument_name(instrument)
    return name


def _track(events: list[tuple[int, Any]], end: int = 0) -> Any:
    """A track of (tick, message), sorted by tick; it ends a tick after the last one, or at `end` if later."""
    import mido

    end = max(events[-1][0] + 1, end)
    previous, track = 0, mido.MidiTrack()
    for tick, message in [*events, (end, mido.MetaMessage("end_of_track"))]:
        message.time, previous = tick - previous, tick
        track.append(message)
    return track


def signatures(meter: Meter, frames: int) -> Iterator[TimeSignature]:
    """The time signatures to write for a file of this many frames; the first is at frame 0.

    An upbeat is a short bar with its own time signature, or is cut short by the next one; see `write_midi`.
    """
    meter = meter.cut(0)
    first, *others = meter.changes
    if meter.offset:
        places = meter.places(np.array([0]))
        length = int(places.length[0] - places.place[0])
        frames = max(frames, length + 1)
        yield _short_bar(length, first, meter.grid)
        if not others or others[0].frame > length:
            yield TimeSignature(length, first.beats, first.unit)
    else:
        yield replace(first, frame=0)
    yield from (change for change in others if change.frame < frames)


def _short_bar(length: int, whole: TimeSignature, grid: int) -> TimeSignature:
    """The time signature of an upbeat of `length` frames; that of a whole bar if there is none."""
    for unit in (whole.unit, *(2**power for power in range(MAX_UNIT.bit_length()))):
        beats = Fraction(length * unit, 4 * grid)
        if beats.denominator == 1 and beats <= MAX_BEATS:
            return TimeSignature(0, int(beats), unit)
    return TimeSignature(0, whole.beats, whole.unit)
