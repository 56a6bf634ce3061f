"""Read MIDI files: parse a file, align it with the grid, and create a roll."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.music.align import AlignmentKind
from zoo.music.barline import MeterFrom
from zoo.music.beats import Beats
from zoo.music.grid import GRID, Pedal
from zoo.music.gridding import GriddedScore, put_on_grid, read_on_grid
from zoo.music.guard import DEFAULT_LIMITS, Limits
from zoo.music.roll import Roll
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
    alignment: AlignmentKind = "stated"
    meter_from: MeterFrom = "stated"
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
    return _reading(read_on_grid(path, limits, tracks=tracks, grid=grid, pedal=pedal))


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
    score = read_score(data, path, limits, tracks)
    return _reading(put_on_grid(score, beats, path, limits, grid, pedal))


def _reading(gridded: GriddedScore) -> Reading:
    """Create the roll, and report what reading lost."""
    alignment = gridded.alignment
    return Reading(
        roll=Roll.from_notes(**gridded.content()),
        end=gridded.end,
        alignment=alignment.kind,
        meter_from=alignment.meter_from,
        off_grid=alignment.off_grid,
        off_grid_before=alignment.off_grid_before,
        losses=gridded.quantised.losses,
        left_out=gridded.left_out,
        repairs=gridded.score.repairs,
        tracks=gridded.score.tracks,
    )
