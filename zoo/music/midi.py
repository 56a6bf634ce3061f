"""Read MIDI files: parse a file, align it with the grid, and create a roll."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from zoo.music.align import Alignment, align
from zoo.music.beats import Beats, find_beats, read_beats
from zoo.music.grid import GRID, Pedal, check_choices
from zoo.music.guard import DEFAULT_LIMITS, Limits, MidiError, read_file
from zoo.music.pairing import with_pedal
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
    """The music in a MIDI file, how its grid was found, and what reading lost.

    Attributes:
        roll: the music, up to the end of its last note.
        end: frame at which the tracks end, including a rest at the end; not before the last note.
        alignment: how the grid was found: "stated" by the file, "shifted", "annotated" by a beat file, or
            "unaligned" if the file follows no beat; see `zoo.music.align`.
        meter_from: how the meter was found: "stated" by the file, "heard", "annotated" or "assumed"; see
            `zoo.music.barline.FoundMeter`.
        off_grid: share of the notes that are more than a quarter of a frame off the grid.
        off_grid_before: the same share on the file's own grid, before it was shifted.
        losses: number of notes that differ from the file, by kind of loss; see `zoo.music.quantise`.
        left_out: number of notes that are not in the roll, by reason.
        repairs: number of harmless faults that were repaired, by kind.
        tracks: title and number of notes of each track, selected or not; the title may be empty.
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
    """Read the music in a MIDI file on a grid that follows its quarter notes, whatever its tempo.

    All instruments except drums and sound effects are merged onto one keyboard. The grid follows the beat
    file, if there is one (see `zoo.music.beats`), or what the file states, or its notes.

    Args:
        path: the file.
        limits: maximum amount of music.
        tracks: titles of the tracks to read; all tracks by default.
        grid: frames per quarter note, 1 to 48.
        pedal: `keep` ends a note when its key is released, `hold` when the sustain pedal is.
        rest: whether the roll includes a rest at the end of the file, as needed for music that is to be
            continued; otherwise, it ends with the last note.

    Raises:
        MidiError: the file cannot be read, is not valid MIDI, has no note on the 88 keys (no-notes), has none
            of the tracks (no-track), or exceeds the limits.
        DataError: the beat file is invalid.
        UsageError: the grid or the pedal setting is invalid.
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
    """Read a MIDI file and its beat file, and report what reading lost; the arguments are as in `read_midi`.

    Raises:
        MidiError: see `read_midi`.
        DataError: see `read_midi`.
        UsageError: see `read_midi`.
    """
    score, beats = open_score(path, limits, tracks)
    return _reading(score, beats, path, limits, grid, pedal)


def open_score(
    path: str | Path, limits: Limits = DEFAULT_LIMITS, tracks: Collection[str] = ()
) -> tuple[Score, Beats | None]:
    """Read the score in a MIDI file, before it is put on a grid, and the beats in its beat file.

    Raises:
        MidiError: see `read_midi`.
        DataError: see `read_midi`.
    """
    score = read_score(read_file(path, limits), path, limits, tracks)
    beat_file = find_beats(path)
    return score, read_beats(beat_file) if beat_file else None


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
    """Read the content of a MIDI file.

    Args:
        data: content of the file.
        path: name of the file, for errors; the file is not opened.
        limits: maximum amount of music.
        tracks: titles of the tracks to read; all tracks by default.
        grid: frames per quarter note, 1 to 48.
        pedal: `keep` or `hold`, see `read_midi`.
        beats: beats that the grid follows, or None.

    Raises:
        MidiError: see `read_midi`.
        UsageError: see `read_midi`.
    """
    return _reading(read_score(data, path, limits, tracks), beats, path, limits, grid, pedal)


def on_grid(
    score: Score, grid: int = GRID, pedal: Pedal = "keep", beats: Beats | None = None
) -> tuple[Alignment, Quantised]:
    """Put a score on a grid.

    Returns:
        The alignment of the grid, and the quantised notes.

    Raises:
        UsageError: the grid or the pedal setting is invalid.
    """
    check_choices(grid, pedal)
    score = with_pedal(score) if pedal == "hold" else score
    alignment = align(score, grid, beats)
    return alignment, quantise(score, alignment)


def _reading(
    score: Score, beats: Beats | None, path: str | Path, limits: Limits, grid: int, pedal: Pedal
) -> Reading:
    """Put a score on the grid, check the limits, and report what reading lost."""
    alignment, quantised = on_grid(score, grid, pedal, beats)
    _check_frames(int(quantised.notes.end.max(initial=0)), path, grid, limits)
    left_out = {**score.left_out, **quantised.left_out}
    if len(quantised.notes) == 0:
        ignored = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        what = "the file has no notes to read" + (f" (ignored: {ignored})" if ignored else "")
        raise MidiError(path, "no-notes", what)
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
    """Create the roll from the notes, with the meter and the tempo of the file."""
    roll = Roll.from_notes(quantised.notes, meter=alignment.meter)
    steady, changes = tempo_map(_tempos(score, alignment, roll.frames), roll.frames)
    return replace(roll, tempo=steady, tempo_changes=changes)


def _tempos(score: Score, alignment: Alignment, frames: int) -> list[tuple[int, int]]:
    """The tempo of the file, or of the annotated beats, as (frame, microseconds per quarter note).

    Tempos are computed from the times of frames in seconds instead of from the tempo events. If the tempo
    changes within a frame, that frame has a tempo of its own, so that everything after it is in time.
    """
    grid = alignment.meter.grid
    if alignment.kind == "annotated":
        places = alignment.places
        beats = np.unique([np.floor(places[0]), *nearest(places), np.ceil(places[-1])])
        times = seconds(score, alignment.ticks_at(beats))
        return tempos_between(beats.astype(np.int64), times, grid, STEADY)
    places = alignment.positions(np.array([tick for tick, _ in score.tempos], np.int64))
    # The frames on both sides of each tempo event; between two such frames, the tempo is constant.
    knots = np.unique(np.concatenate([[0, frames], np.floor(places), np.ceil(places)]).clip(0, frames))
    return tempos_between(knots.astype(np.int64), seconds(score, alignment.ticks_at(knots)), grid)


def _check_frames(frames: int, path: str | Path, grid: int, limits: Limits) -> None:
    """Check the length on the grid before the roll is allocated; a beat file may make a piece too long."""
    if frames * GRID > (limits.frames + 1) * grid:
        what = (
            f"with the beats of its beat file, the piece has {frames} frames, "
            f"more than {limits.frames * grid // GRID}"
        )
        raise MidiError(path, "too-long", what)
