"""Reading MIDI files: from bytes to a score, its place on the grid, and the roll."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from zoo.music.align import Alignment, align
from zoo.music.beats import Beats, find_beats, read_beats
from zoo.music.grid import GRID, Pedal, check_choices
from zoo.music.guard import DEFAULT_LIMITS, Limits, MidiError, read_file
from zoo.music.pairing import held
from zoo.music.quantise import Quantised, quantise
from zoo.music.roll import Roll
from zoo.music.rounding import nearest
from zoo.music.score import Score
from zoo.music.tempo import STEADY, seconds, tempo_map, tempos_between
from zoo.music.walk import read_score
from zoo.music.writing import write_midi

__all__ = ["Reading", "examine_bytes", "examine_midi", "read_midi", "write_midi"]


@dataclass(frozen=True)
class Reading:
    """A MIDI file that was read, how its grid was found, and what reading cost.

    Attributes:
        roll: the music, as long as its last note.
        end: the frame at which the tracks end, after a rest if there is one; never before the last note.
        alignment: how the grid was found: "stated" by the file, "shifted", "annotated" by a beat file, or
            "unaligned", the grid of a file that is played freely; see `zoo.music.align`.
        meter_from: how the meter was found: "stated" by the file, "heard", "annotated" or "assumed"; see
            `zoo.music.barline.FoundMeter`.
        off_grid: share of the notes that were written more than a quarter frame from the frame they are in.
        off_grid_before: the same share on the file's own grid, before it was shifted.
        losses: how many notes came out otherwise than they were written; see `zoo.music.quantise`.
        left_out: how many notes are not in the roll, by the reason.
        repairs: how often each harmless fault of the file was stepped over.
        tracks: title of each track and how many notes it has, chosen or not; the title may be empty.
    """

    roll: Roll
    end: int = 0
    alignment: str = "stated"
    meter_from: str = "stated"
    off_grid: float = 0.0
    off_grid_before: float = 0.0
    losses: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    tracks: Sequence[tuple[str, int]] = ()


def read_midi(
    path: str | Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    tracks: Collection[str] = (),
    grid: int = GRID,
    pedal: Pedal = "keep",
    rest: bool = False,
) -> Roll:
    """The music in a MIDI file, on a grid of its quarter notes whatever its tempo does.

    All instruments but drums and sound effects play on one keyboard. The grid is the one that the file was
    made on: by what it says, by the beats in a file beside it (see `zoo.music.beats`), or by its notes.

    Args:
        path: the file.
        limits: how much music it may hold.
        tracks: titles of the tracks to read; all tracks where none is named.
        grid: frames to a quarter note, 1 to 48.
        pedal: `keep` ends a note where its key is released, `hold` where the sustain pedal rises.
        rest: whether a rest at the end of the file belongs to the roll, as it does in music that is to be
            continued; otherwise the roll ends with its last note.

    Raises:
        MidiError: the file cannot be read, is not sound MIDI, holds no note of the 88 keys (no-notes),
            none of the tracks (no-track), or more than the limits allow.
        DataError: the beat file beside it is broken.
        UsageError: there is no such grid or pedal.
    """
    reading = examine_midi(path, limits, tracks=tracks, grid=grid, pedal=pedal)
    return reading.roll.padded(reading.end) if rest else reading.roll


def examine_midi(
    path: str | Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    tracks: Collection[str] = (),
    grid: int = GRID,
    pedal: Pedal = "keep",
) -> Reading:
    """Read a MIDI file, with the beats beside it, and tell what reading cost.

    Raises:
        MidiError: as `read_midi`.
        DataError: as `read_midi`.
        UsageError: as `read_midi`.
    """
    score, beats = open_score(path, limits, tracks)
    return _reading(score, beats, path, limits, grid, pedal)


def open_score(
    path: str | Path, limits: Limits = DEFAULT_LIMITS, tracks: Collection[str] = ()
) -> tuple[Score, Beats | None]:
    """The score in a MIDI file before it is put on a grid, and the beats in a file beside it.

    Raises:
        MidiError: as `read_midi`.
        DataError: as `read_midi`.
    """
    score = read_score(read_file(path, limits), path, limits, tracks)
    beside = find_beats(path)
    return score, read_beats(beside) if beside else None


def examine_bytes(
    data: bytes,
    path: str | Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    tracks: Collection[str] = (),
    grid: int = GRID,
    pedal: Pedal = "keep",
    beats: Beats | None = None,
) -> Reading:
    """Read what a MIDI file holds; its path only names it.

    Args:
        data: the file.
        path: its name, for errors.
        limits: how much music it may hold.
        tracks: titles of the tracks to read; all tracks where none is named.
        grid: frames to a quarter note, 1 to 48.
        pedal: `keep` or `hold`, as in `read_midi`.
        beats: beats in seconds that the music is put on.

    Raises:
        MidiError: as `read_midi`.
        UsageError: as `read_midi`.
    """
    return _reading(read_score(data, path, limits, tracks), beats, path, limits, grid, pedal)


def on_grid(
    score: Score, grid: int = GRID, pedal: Pedal = "keep", beats: Beats | None = None
) -> tuple[Alignment, Quantised]:
    """Put a score on a grid: how the grid was found, and the notes on it.

    Raises:
        UsageError: there is no such grid or pedal.
    """
    check_choices(grid, pedal)
    score = held(score) if pedal == "hold" else score
    alignment = align(score, grid, beats)
    return alignment, quantise(score, alignment)


def _reading(
    score: Score, beats: Beats | None, path: str | Path, limits: Limits, grid: int, pedal: Pedal
) -> Reading:
    """The score on its grid, within the limits, and what that cost."""
    alignment, quantised = on_grid(score, grid, pedal, beats)
    _check_frames(int(quantised.notes.end.max(initial=0)), path, grid, limits)
    left_out = {**score.left_out, **quantised.left_out}
    if len(quantised.notes) == 0:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise MidiError(path, "no-notes", "there is no note to read" + (f" ({why})" if why else ""))
    roll = _roll(score, alignment, quantised)
    return Reading(
        roll=roll,
        end=max(int(nearest(alignment.positions(np.array([score.last])))[0]), roll.frames),
        alignment=alignment.kind,
        meter_from=alignment.meter_from,
        off_grid=alignment.off_grid,
        off_grid_before=alignment.off_grid_before,
        losses=quantised.losses,
        left_out=left_out,
        repairs=score.repairs,
        tracks=score.tracks,
    )


def _roll(score: Score, alignment: Alignment, quantised: Quantised) -> Roll:
    """The notes as a roll, with the meter and the tempo of the file."""
    roll = Roll.from_notes(quantised.notes, meter=alignment.meter)
    steady, changes = tempo_map(_tempos(score, alignment, roll.frames), roll.frames)
    return replace(roll, tempo=steady, tempo_changes=changes)


def _tempos(score: Score, alignment: Alignment, frames: int) -> list[tuple[int, int]]:
    """The tempo of the file from frame to frame, or that of the beats that its music was put on.

    A change within a frame gives that frame a tempo of its own, so that everything after it is in time.
    """
    grid = alignment.meter.grid
    if alignment.kind == "annotated":
        places = alignment.places
        beats = np.unique([np.floor(places[0]), *nearest(places), np.ceil(places[-1])])
        times = seconds(score, alignment.ticks_at(beats))
        return tempos_between(beats.astype(np.int64), times, grid, STEADY)
    places = alignment.positions(np.array([tick for tick, _ in score.tempos], np.int64))
    knots = np.unique(np.concatenate([[0, frames], np.floor(places), np.ceil(places)]).clip(0, frames))
    return tempos_between(knots.astype(np.int64), seconds(score, alignment.ticks_at(knots)), grid)


def _check_frames(frames: int, path: str | Path, grid: int, limits: Limits) -> None:
    """Refuse what beats beside a file have made too long, before the roll takes memory."""
    if frames * GRID > (limits.frames + 1) * grid:
        what = f"on its beats the piece has {frames} frames, more than {limits.frames * grid // GRID}"
        raise MidiError(path, "too-long", what)
