"""Read a MIDI file onto the grid: its notes in frames, with its meter and tempo.

`zoo.music.midi` and `zoo.music.roll` both build on this module, which does not know rolls.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from zoo.music.align import Alignment, align
from zoo.music.beats import Beats, find_beats, read_beats
from zoo.music.grid import GRID, Pedal, check_choices
from zoo.music.guard import DEFAULT_LIMITS, Limits, MidiError, read_file
from zoo.music.meter import Meter
from zoo.music.notes import Notes
from zoo.music.pairing import with_pedal
from zoo.music.quantise import Quantised, quantise
from zoo.music.rounding import nearest
from zoo.music.score import Score
from zoo.music.tempo import STEADY, Changes, seconds, tempo_map, tempos_between
from zoo.music.walk import read_score


class Content(TypedDict):
    """The arguments of `Roll.from_notes` that a MIDI file determines."""

    notes: Notes
    meter: Meter
    tempo: float
    tempo_changes: Changes


@dataclass(frozen=True)
class GriddedScore:
    """A score on the grid.

    Attributes:
        score: the score in ticks.
        alignment: the mapping between ticks and frames, and the meter.
        quantised: the notes in frames, and what quantising lost.
        left_out: number of notes that were left out, by reason.
        tempo: mean tempo in quarter notes per minute.
        tempo_changes: (frame, quarter notes per minute), the first at frame 0; empty if the tempo is
            constant.
        end: frame at which the tracks end, including a rest at the end; not before the last note.
    """

    score: Score
    alignment: Alignment
    quantised: Quantised
    left_out: Mapping[str, int]
    tempo: float
    tempo_changes: Changes
    end: int

    def content(self) -> Content:
        """The notes with their meter and tempo, as arguments of `Roll.from_notes`."""
        return Content(
            notes=self.quantised.notes,
            meter=self.alignment.meter,
            tempo=self.tempo,
            tempo_changes=self.tempo_changes,
        )


def read_on_grid(
    path: str | Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    tracks: Collection[str] = (),
    grid: int = GRID,
    pedal: Pedal = "keep",
) -> GriddedScore:
    """Read a MIDI file and its beat file onto the grid; the arguments are as in `zoo.music.midi.read_midi`.

    Raises:
        MidiError: see `zoo.music.midi.read_midi`.
        DataError: see `zoo.music.midi.read_midi`.
        UsageError: see `zoo.music.midi.read_midi`.
    """
    score, beats = open_score(path, limits, tracks)
    return put_on_grid(score, beats, path, limits, grid, pedal)


def open_score(
    path: str | Path, limits: Limits = DEFAULT_LIMITS, tracks: Collection[str] = ()
) -> tuple[Score, Beats | None]:
    """Read the score in a MIDI file, before it is put on a grid, and the beats in its beat file.

    Raises:
        MidiError: see `zoo.music.midi.read_midi`.
        DataError: see `zoo.music.midi.read_midi`.
    """
    score = read_score(read_file(path, limits), path, limits, tracks)
    beat_file = find_beats(path)
    return score, read_beats(beat_file) if beat_file else None


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


def put_on_grid(
    score: Score, beats: Beats | None, path: str | Path, limits: Limits, grid: int, pedal: Pedal
) -> GriddedScore:
    """Put a score on the grid, check the limits, and find its tempo.

    Args:
        score: the score.
        beats: beats that the grid follows, or None.
        path: name of the file, for errors.
        limits: maximum amount of music.
        grid: frames per quarter note, 1 to 48.
        pedal: `keep` or `hold`, see `zoo.music.midi.read_midi`.

    Raises:
        MidiError: too-long or no-notes.
        UsageError: the grid or the pedal setting is invalid.
    """
    alignment, quantised = on_grid(score, grid, pedal, beats)
    frames = int(quantised.notes.end.max(initial=0))
    _check_frames(frames, path, grid, limits)
    left_out = {**score.left_out, **quantised.left_out}
    if len(quantised.notes) == 0:
        ignored = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        what = "the file has no notes to read" + (f" (ignored: {ignored})" if ignored else "")
        raise MidiError(path, "no-notes", what)
    tempo, tempo_changes = tempo_map(_tempos(score, alignment, frames), frames)
    end = int(nearest(alignment.positions(np.array([score.last])))[0])
    return GriddedScore(score, alignment, quantised, left_out, tempo, tempo_changes, max(end, frames))


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
