"""MIDI files: read onto the grid and written from it, through pretty_midi."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.music.guard import DEFAULT_LIMITS, Limits, MidiError, read_file
from zoo.music.roll import FRAMES_PER_QUARTER, KEYS, LOWEST_KEY, Notes, Roll
from zoo.music.tempo import DEFAULT_TEMPO, MICROSECONDS
from zoo.music.walk import Press, Walk, walk
from zoo.music.writing import write_midi

__all__ = ["Reading", "examine_bytes", "examine_midi", "read_midi", "write_midi"]

MOST_TICKS = 2**21
"""Where time is finer than that, ticks are joined: pretty_midi keeps a table of all of them."""


@dataclass(frozen=True)
class Reading:
    """A file that was read, and what was passed over on the way.

    Attributes:
        roll: the music.
        repairs: how often each harmless fault was stepped over.
        left_out: how many notes are not in the roll, by the reason.
        titles: what its tracks are called, where they have a title.
    """

    roll: Roll
    repairs: Mapping[str, int]
    left_out: Mapping[str, int]
    titles: Sequence[str]


def read_midi(path: str | Path, limits: Limits = DEFAULT_LIMITS, *, tracks: Collection[str] = ()) -> Roll:
    """The music in a MIDI file, on the grid of its own quarter notes whatever its tempo does.

    All instruments but drums play on one keyboard, or only those in the tracks with the given titles.
    The roll ends with its last note, and its tempo is the steady one at which it takes as long as the
    file. The pedal does not lengthen notes.

    Raises:
        MidiError: the file cannot be read, is not sound MIDI, holds no note of the 88 keys (no-notes),
            none of the tracks (no-track), or more than the limits allow.
    """
    return examine_bytes(read_file(path, limits), path, limits, tracks=tracks).roll


def examine_midi(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Reading:
    """Read a MIDI file and tell what had to be passed over.

    Raises:
        MidiError: as `read_midi`.
    """
    return examine_bytes(read_file(path, limits), path, limits)


def examine_bytes(
    data: bytes, path: str | Path, limits: Limits = DEFAULT_LIMITS, *, tracks: Collection[str] = ()
) -> Reading:
    """Read what a MIDI file holds; its path only names it.

    Raises:
        MidiError: as `read_midi`.
    """
    found = walk(data, str(path), limits, tracks)
    _check_length(found, path, limits)
    notes = _notes(found, path)
    inside = np.flatnonzero((notes.key >= 0) & (notes.key < KEYS))
    left_out = {
        "drums": found.drums,
        "never released or without length": found.notes - len(notes),
        "outside the 88 keys": len(notes) - len(inside),
    }
    left_out = {reason: count for reason, count in left_out.items() if count}
    if len(inside) == 0:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise MidiError(path, "no-notes", "there is no note to read" + (f" ({why})" if why else ""))
    roll = Roll.from_notes(notes.take(inside), tempo=MICROSECONDS / _mean_tempo(found))
    return Reading(roll, dict(found.repairs), left_out, found.titles)


def _notes(found: Walk, path: str | Path) -> Notes:
    """The notes on the grid, as pretty_midi pairs presses; their keys may lie outside the 88."""
    import mido
    import pretty_midi

    if not found.tracks:
        return Notes.none()
    joined = found.last // MOST_TICKS + 1
    if joined > 1:
        for track in found.tracks:
            _join_ticks(track, joined)
    midi = pretty_midi.PrettyMIDI(
        mido_object=mido.MidiFile(ticks_per_beat=found.division, tracks=found.tracks)
    )
    paired = [note for instrument in midi.instruments for note in instrument.notes]
    pitch = np.array([note.pitch for note in paired], dtype=np.int64)
    velocity = np.array([note.velocity for note in paired], dtype=np.int64)
    times = np.array([[note.start for note in paired], [note.end for note in paired]])
    # no tempo was handed on, so one tick's length turns all seconds back into ticks, exactly
    ticks = np.rint(times / midi.tick_to_time(1)).astype(np.int64) * joined
    possible = (np.minimum(pitch, velocity - 1) >= 0) & (np.maximum(pitch, velocity) < 128)
    if not (possible & (ticks[0] >= 0) & (ticks[0] < ticks[1])).all():
        raise MidiError(path, "bad-note", "a note has an impossible pitch, velocity or length")
    start, end = _frames(ticks, found.division)
    return Notes(start, end, pitch - LOWEST_KEY, velocity.astype(np.uint8))


def _join_ticks(track: list[Press], joined: int) -> None:
    """Count a track's time in units of `joined` ticks."""
    tick = unit = 0
    for press in track:
        tick += press.time
        press.time = tick // joined - unit
        unit += press.time


def _frames(ticks: NDArray[np.int64], division: int) -> NDArray[np.int64]:
    """The nearest frame of each tick; half a frame counts as the next."""
    return (2 * FRAMES_PER_QUARTER * ticks + division) // (2 * division)


def _check_length(found: Walk, path: str | Path, limits: Limits) -> None:
    frames = _frames(np.array(found.last), found.division)
    if frames > limits.frames:
        raise MidiError(path, "too-long", f"the piece has {frames} frames, more than {limits.frames}")
    seconds = found.last / found.division * _mean_tempo(found) / 1e6
    if seconds > limits.seconds:
        raise MidiError(path, "too-long", f"the piece lasts {seconds:.0f} s, more than {limits.seconds:.0f}")


def _mean_tempo(found: Walk) -> float:
    """Microseconds to the quarter note, each tempo weighted with how many ticks it holds for."""
    changes = sorted([(0, DEFAULT_TEMPO), *found.tempos], key=lambda change: change[0])
    if found.last == 0:
        return changes[-1][1]
    ticks = np.array([tick for tick, _ in changes] + [found.last]).clip(max=found.last)
    return float(np.diff(ticks) @ np.array([tempo for _, tempo in changes]) / found.last)
