"""The roll: a piece on a grid as three planes, pressed, sounding and how loud."""

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
from zoo.music.tempo import cut_tempo, steady_tempo

if TYPE_CHECKING:
    import pretty_midi

LOWEST_KEY = 21
"""MIDI pitch of the first of the 88 keys, A0."""
KEYS = 88
STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
SHOWN = 3
"""Time signatures that `repr` of a roll lists at most."""
DEFAULT_VELOCITY = 64
"""The velocity of a note whose loudness is not known; what MIDI prescribes for keys without touch."""


def key_name(key: int) -> str:
    """What pianists call a key, 0..87: A0 to C8, with sharps."""
    octave, step = divmod(key + LOWEST_KEY, 12)
    return f"{STEPS[step]}{octave - 1}"


@dataclass(frozen=True)
class Notes:
    """The N notes of a piece, each from the frame it is pressed in to the frame it is silent in.

    Attributes:
        start: (N,) int64, 0 or more.
        end: (N,) int64, above `start`; the first frame in which the note is over.
        key: (N,) int64, 0..87, counted from A0.
        velocity: (N,) uint8, 1..127.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    key: NDArray[np.int64]
    velocity: NDArray[np.uint8]

    @classmethod
    def none(cls) -> Self:
        """No notes at all."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, nothing.astype(np.uint8))

    def __len__(self) -> int:
        return len(self.start)

    def take(self, which: NDArray[np.int64]) -> Notes:
        """The notes at these indices, in this order."""
        return Notes(self.start[which], self.end[which], self.key[which], self.velocity[which])

    def on_one_keyboard(self) -> Notes:
        """The notes as one pianist plays what several voices hold, ordered by key, then start.

        A key sounds as long as any voice holds it, and a new note strikes it again: where one voice holds C4
        while another repeats it, the repetitions are struck and the last of them sounds until both voices
        are over. Of notes that press one key in one frame the louder velocity counts. Every note lasts at
        least one frame.
        """
        if len(self) == 0:
            return self
        notes = self.take(np.lexsort((self.start, self.key)))
        fresh = (np.diff(notes.start, prepend=-1) != 0) | (np.diff(notes.key, prepend=-1) != 0)
        first = np.flatnonzero(fresh)
        start, key = notes.start[first], notes.key[first]
        end = np.maximum(np.maximum.reduceat(notes.end, first), start + 1)
        above = key * (int(end.max()) + 1)  # lifts each key above those before it, so that none hears them
        end = np.maximum.accumulate(end + above) - above
        restruck = np.flatnonzero(key[1:] == key[:-1])
        end[restruck] = np.minimum(end[restruck], start[restruck + 1])
        return Notes(start, end, key, np.maximum.reduceat(notes.velocity, first))


@dataclass(frozen=True, repr=False)
class Roll:
    """One piece on the grid of its meter, sixteenths unless it says otherwise.

    Pressed and sounding are separate planes, so a held note and a repeated one stay different
    (pretty_midi's own piano roll loses that).

    Attributes:
        onset: (T, 88) bool, the key is pressed in this frame. None where the source does not say.
        sounding: (T, 88) bool, the key sounds in this frame; true wherever `onset` is.
        velocity: (T, 88) uint8, 1..127 where a key is pressed, else 0. None where it is not known.
        tempo: quarter notes per minute; the steady one at which the piece lasts as long as it does.
        meter: frames to a quarter note, and where bars and beats lie.
        tempo_changes: (frame, quarter notes per minute) by frame, the first at frame 0; empty where the tempo
            is steady.
    """

    onset: NDArray[np.bool_] | None
    sounding: NDArray[np.bool_]
    velocity: NDArray[np.uint8] | None = None
    tempo: float = 120.0
    meter: Meter = COMMON_TIME
    tempo_changes: tuple[tuple[int, float], ...] = ()

    @classmethod
    def read(
        cls, path: str | Path, *, grid: int = GRID, pedal: Pedal = "keep", tracks: Collection[str] = ()
    ) -> Roll:
        """The music in a MIDI file; see `zoo.music.midi.read_midi`."""
        from zoo.music.midi import read_midi

        return read_midi(path, grid=grid, pedal=pedal, tracks=tracks)

    @classmethod
    def from_notes(
        cls, notes: Notes, frames: int = 0, tempo: float = 120.0, meter: Meter | None = None
    ) -> Self:
        """The roll that a keyboard plays from these notes, as long as they are or at least `frames`."""
        notes = notes.on_one_keyboard()
        frames = max(frames, int(notes.end.max(initial=0)))
        onset = np.zeros((frames, KEYS), dtype=np.bool_)
        onset[notes.start, notes.key] = True
        velocity = np.zeros((frames, KEYS), dtype=np.uint8)
        velocity[notes.start, notes.key] = notes.velocity
        change = np.zeros((frames + 1, KEYS), dtype=np.int8)
        change[notes.start, notes.key] += 1
        change[notes.end, notes.key] -= 1  # one keyboard: no key starts or ends twice in a frame
        np.cumsum(change, axis=0, dtype=np.int8, out=change)  # in place: fine grids make long planes
        sounding = change[:-1].view(np.bool_)
        return cls(onset, sounding, velocity, tempo, meter or COMMON_TIME)

    @property
    def frames(self) -> int:
        """T, the length on the grid."""
        return int(self.sounding.shape[0])

    def __repr__(self) -> str:
        if self.onset is None:
            music = f"{self.frames} frames, onsets unknown"
        else:
            music = f"{self.frames} frames, {int(self.onset.sum()):,} notes"
        signatures = list(dict.fromkeys(map(str, self.meter.signatures(self.frames))))
        listed = ", ".join(signatures[:SHOWN]) + (", ..." if len(signatures) > SHOWN else "")
        grid = "" if self.meter.grid == GRID else f", grid={self.meter.grid}"
        return f"Roll({music}, {listed}, {self.tempo:.4g} quarters per minute{grid})"

    def _repr_html_(self) -> str:
        """The roll as a picture in a notebook, as text where matplotlib is missing."""
        from base64 import b64encode

        from zoo.music.picture import picture_bytes

        try:
            picture = b64encode(picture_bytes(self)).decode()
        except ZooError:
            return f"<pre>{escape(repr(self))}</pre>"
        return f'<img alt="{escape(repr(self))}" src="data:image/png;base64,{picture}">'

    def padded(self, frames: int) -> Roll:
        """The roll with silence after it, `frames` long; as it is where it is no shorter."""
        rest = ((0, max(frames - self.frames, 0)), (0, 0))
        onset = None if self.onset is None else np.pad(self.onset, rest)
        velocity = None if self.velocity is None else np.pad(self.velocity, rest)
        sounding = np.pad(self.sounding, rest)
        changes = self.tempo_changes
        tempo = steady_tempo(changes, len(sounding)) if changes else self.tempo
        return replace(self, onset=onset, sounding=sounding, velocity=velocity, tempo=tempo)

    def cut(self, first: int, last: int) -> Roll:
        """The frames from `first` up to, without, `last`; what sounds on at either end is held that far.

        A note that is held into the first frame is pressed in it, with its own velocity.

        Args:
            first: 0 or more.
            last: no more than `frames`; above `first`.
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
            meter=self.meter.cut(first),
            tempo_changes=changes,
        )

    def bars(self, first: int, last: int) -> Roll:
        """Bars `first` to `last`, both included, numbered as in a score; an upbeat belongs to bar 1.

        Raises:
            DataError: the piece has fewer bars, or there are no such bars.
        """
        bars = self.meter.bars(self.frames)
        if not 1 <= first <= last <= bars.count:
            what = f"there are no bars {first} to {last}: the piece has {bars.count}"
            raise DataError(Problem(what, hint=f"bars are numbered from 1 to {bars.count}"))
        inside = bars.take(np.flatnonzero((bars.number >= first - 1) & (bars.number < last)))
        begin = 0 if first == 1 else int(inside.line[0])
        return self.cut(begin, min(int(inside.end[-1]), self.frames))

    def notes(self) -> Notes:
        """The notes that the roll holds, by start, then key.

        Where it is not known what is pressed, a key that goes on sounding is one note; where the loudness is
        not known, a note has the default velocity.
        """
        sounding = self.sounding.T
        silence = np.zeros((KEYS, 1), dtype=np.bool_)
        begins = sounding & ~np.hstack([silence, sounding[:, :-1]])
        if self.onset is not None:
            begins |= self.onset.T
        goes_on = np.hstack([sounding[:, 1:] & ~begins[:, 1:], silence])
        key, start = np.nonzero(begins)
        _, last = np.nonzero(sounding & ~goes_on)
        loudness = np.zeros(len(key), np.uint8) if self.velocity is None else self.velocity[start, key]
        velocity = np.where(loudness == 0, np.uint8(DEFAULT_VELOCITY), loudness)
        return Notes(start, last + 1, key, velocity).take(np.lexsort((key, start)))

    def pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """The roll as a pretty_midi object, with its meter and tempo, for programs that work with one."""
        import pretty_midi

        from zoo.music.writing import midi_bytes

        return pretty_midi.PrettyMIDI(io.BytesIO(midi_bytes(self)))

    def write(self, path: str | Path, *, instrument: int = 0) -> None:
        """Write the roll as MIDI, sound or notation, by the end of the name; see `zoo.music.saving.save`."""
        from zoo.music.saving import save

        save(self, path, instrument=instrument)

    def transposed(self, semitones: int) -> Roll:
        """The roll so many semitones higher, or lower below 0; keys that leave the keyboard are dropped."""
        if semitones == 0:
            return self

        def moved(plane: Any) -> Any:
            if plane is None:
                return None
            fresh = np.zeros_like(plane)
            low, high = max(semitones, 0), KEYS + min(semitones, 0)
            if low < high:
                fresh[:, low:high] = plane[:, low - semitones : high - semitones]
            return fresh

        return replace(
            self,
            onset=moved(self.onset),
            sounding=moved(self.sounding),
            velocity=moved(self.velocity),
        )
