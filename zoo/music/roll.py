"""The piano roll: a piece on a grid as three planes, onset, sounding and velocity."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError, Problem, ZooError
from zoo.music.grid import GRID, Pedal
from zoo.music.meter import COMMON_TIME, Meter
from zoo.music.notes import Notes, key_name
from zoo.music.tempo import Changes, cut_tempo, mean_tempo
from zoo.parts.piano import KEYS

if TYPE_CHECKING:
    import pretty_midi

__all__ = ["Notes", "Roll", "key_name"]

MAX_SHOWN = 3
"""Maximum number of time signatures in the `repr` of a roll."""
DEFAULT_VELOCITY = 64
"""Velocity of notes whose velocity is unknown; MIDI prescribes it for keyboards without touch sensitivity."""


@dataclass(frozen=True, repr=False)
class Roll:
    """A piece of music on a grid.

    Onsets and sounding keys are separate planes, so that held and repeated notes can be distinguished (in
    the piano roll of pretty_midi, they cannot).

    Attributes:
        onset: (T, 88) bool, whether the key is pressed in this frame; None if onsets are unknown.
        sounding: (T, 88) bool, whether the key sounds in this frame; true wherever `onset` is.
        velocity: (T, 88) uint8, 1..127 where a key is pressed, else 0; None if velocities are unknown.
        tempo: mean tempo in quarter notes per minute, so that the total duration is correct.
        meter: the grid (frames per quarter note), bars and beats.
        tempo_changes: (frame, quarter notes per minute) by frame, the first at frame 0; empty if the tempo is
            constant.
        outside: number of notes that were left out because `transposed` moved them off the 88 keys.
    """

    onset: NDArray[np.bool_] | None
    sounding: NDArray[np.bool_]
    velocity: NDArray[np.uint8] | None = None
    tempo: float = 120.0
    meter: Meter = COMMON_TIME
    tempo_changes: Changes = ()
    outside: int = 0

    @classmethod
    def read(
        cls, path: str | Path, *, grid: int = GRID, pedal: Pedal = "keep", tracks: Collection[str] = ()
    ) -> Self:
        """Read a MIDI file; see `zoo.music.midi.read_midi`."""
        from zoo.music.gridding import read_on_grid

        return cls.from_notes(**read_on_grid(path, tracks=tracks, grid=grid, pedal=pedal).content())

    @classmethod
    def from_notes(
        cls,
        notes: Notes,
        frames: int = 0,
        tempo: float = 120.0,
        meter: Meter | None = None,
        tempo_changes: Changes = (),
    ) -> Self:
        """Create a roll from notes, merged onto one keyboard.

        Args:
            notes: the notes, sorted in any way.
            frames: minimum length; the roll is longer if the notes are.
            tempo: quarter notes per minute.
            meter: grid, bars and beats; 4/4 in sixteenths by default.
            tempo_changes: (frame, quarter notes per minute), the first at frame 0; empty if the tempo is
                constant.
        """
        notes = notes.on_one_keyboard()
        frames = max(frames, int(notes.end.max(initial=0)))
        onset = np.zeros((frames, KEYS), dtype=np.bool_)
        onset[notes.start, notes.key] = True
        velocity = np.zeros((frames, KEYS), dtype=np.uint8)
        velocity[notes.start, notes.key] = notes.velocity
        change = np.zeros((frames + 1, KEYS), dtype=np.int8)
        change[notes.start, notes.key] += 1
        change[notes.end, notes.key] -= 1  # after on_one_keyboard, no key starts or ends twice in a frame
        np.cumsum(change, axis=0, dtype=np.int8, out=change)  # in place, since fine grids make large planes
        sounding = change[:-1].view(np.bool_)
        return cls(onset, sounding, velocity, tempo, meter or COMMON_TIME, tempo_changes)

    @property
    def frames(self) -> int:
        """T, the number of frames."""
        return int(self.sounding.shape[0])

    def __repr__(self) -> str:
        if self.onset is None:
            music = f"{self.frames} frames, onsets unknown"
        else:
            music = f"{self.frames} frames, {int(self.onset.sum()):,} notes"
        signatures = list(dict.fromkeys(map(str, self.meter.signatures(self.frames))))
        listed = ", ".join(signatures[:MAX_SHOWN]) + (", ..." if len(signatures) > MAX_SHOWN else "")
        grid = "" if self.meter.grid == GRID else f", grid={self.meter.grid}"
        return f"Roll({music}, {listed}, {self.tempo:.4g} quarters per minute{grid})"

    def _repr_html_(self) -> str:
        """The roll as a picture for notebooks; as text if matplotlib is not installed."""
        from base64 import b64encode

        from zoo.music.picture import picture_bytes

        try:
            picture = b64encode(picture_bytes(self)).decode()
        except ZooError:
            return f"<pre>{escape(repr(self))}</pre>"
        return f'<img alt="{escape(repr(self))}" src="data:image/png;base64,{picture}">'

    def padded(self, frames: int) -> Roll:
        """The roll, padded with silence to at least `frames` frames."""
        rest = ((0, max(frames - self.frames, 0)), (0, 0))
        onset = None if self.onset is None else np.pad(self.onset, rest)
        velocity = None if self.velocity is None else np.pad(self.velocity, rest)
        sounding = np.pad(self.sounding, rest)
        changes = self.tempo_changes
        tempo = mean_tempo(changes, len(sounding)) if changes else self.tempo
        return replace(self, onset=onset, sounding=sounding, velocity=velocity, tempo=tempo)

    def cut(self, first: int, last: int) -> Roll:
        """An excerpt of the roll; notes that extend beyond it are cut.

        A note that sounds before the first frame gets an onset there, with its own velocity.

        Args:
            first: first frame, 0 or more.
            last: frame after the last; greater than `first`, at most `frames`.
        """
        notes = self.notes()
        notes = notes.take(np.flatnonzero((notes.end > first) & (notes.start < last)))
        start, end = np.maximum(notes.start, first) - first, np.minimum(notes.end, last) - first
        roll = Roll.from_notes(Notes(start, end, notes.key, notes.velocity), last - first)
        tempo, changes = cut_tempo(self.tempo, self.tempo_changes, first, last)
        return Roll(
            onset=None if self.onset is None else roll.onset,
            sounding=roll.sounding,
            velocity=None if self.velocity is None else roll.velocity,
            tempo=tempo,
            meter=self.meter.cut(first, last),
            tempo_changes=changes,
        )

    def bars(self, first: int, last: int) -> Roll:
        """Bars `first` to `last` inclusive, numbered from 1 as in a score; an upbeat belongs to bar 1.

        Raises:
            DataError: the piece has fewer bars, or the range is invalid.
        """
        bars = self.meter.bars(self.frames)
        if not 1 <= first <= last <= bars.count:
            what = f"there are no bars {first} to {last}: the piece has {bars.count}"
            raise DataError(Problem(what, hint=f"bars are numbered from 1 to {bars.count}"))
        inside = bars.take(np.flatnonzero((bars.number >= first - 1) & (bars.number < last)))
        begin = 0 if first == 1 else int(inside.line[0])
        return self.cut(begin, min(int(inside.end[-1]), self.frames))

    def notes(self) -> Notes:
        """The notes of the roll, sorted by start, then key.

        If onsets are unknown, a key that keeps sounding is a single note. If velocities are unknown, notes
        have the default velocity.
        """
        sounding = self.sounding.T
        silence = np.zeros((KEYS, 1), dtype=np.bool_)
        begins = sounding & ~np.hstack([silence, sounding[:, :-1]])
        if self.onset is not None:
            begins |= self.onset.T
        continues = np.hstack([sounding[:, 1:] & ~begins[:, 1:], silence])
        # Both have one entry per note, in the order of key, then frame, so starts and ends correspond.
        key, start = np.nonzero(begins)
        _, last = np.nonzero(sounding & ~continues)
        known = np.zeros(len(key), np.uint8) if self.velocity is None else self.velocity[start, key]
        velocity = np.where(known == 0, np.uint8(DEFAULT_VELOCITY), known)
        return Notes(start, last + 1, key, velocity).take(np.lexsort((key, start)))

    def pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """The roll as a `pretty_midi.PrettyMIDI` object, with its meter and tempo."""
        import pretty_midi

        from zoo.music.writing import midi_bytes

        return pretty_midi.PrettyMIDI(io.BytesIO(midi_bytes(self)))

    def write(self, path: str | Path, *, instrument: int = 0) -> None:
        """Write the roll as MIDI, sound or notation, by the suffix; see `zoo.music.saving.save`."""
        from zoo.music.saving import save

        save(self, path, instrument=instrument)

    def transposed(self, semitones: int) -> Roll:
        """The roll transposed, upwards if positive; notes off the 88 keys are left out, see `outside`."""
        if semitones == 0:
            return self

        def shift(plane: Any) -> Any:
            if plane is None:
                return None
            shifted = np.zeros_like(plane)
            low, high = max(semitones, 0), KEYS + min(semitones, 0)
            if low < high:
                shifted[:, low:high] = plane[:, low - semitones : high - semitones]
            return shifted

        moved = replace(
            self,
            onset=shift(self.onset),
            sounding=shift(self.sounding),
            velocity=shift(self.velocity),
        )
        return replace(moved, outside=self.outside + len(self.notes()) - len(moved.notes()))
