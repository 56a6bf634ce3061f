"""Alignment: the grid that a MIDI file was made on, its sixteenths, its beats and its bars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zoo.music.accents import bar_phase
from zoo.music.beats import Beats, on_beats
from zoo.music.meter import GRID, Meter, TimeSignature
from zoo.music.score import Score, Ticks

Kind = Literal["stated", "shifted", "annotated", "unaligned"]
Places = NDArray[np.float64]

QUARTER_FRAME = 0.25
"""From this part of a frame on a note lies off the grid."""
MOST_OFF = 0.3
"""Share of notes off the grid above which a file follows no beat: chance puts half of the notes there, the least
steady file of POP909 7 %, music in triplets on a grid of sixteenths a third."""
EXACT = 0.01
"""Quarter notes: ticks that are rounded by other programs stray less than that."""
SAME_TICK = 1e-4
"""Frames: less than a tick, more than arithmetic errs."""
SHARES = (0.5, 0.9)
"""Least shares of notes on sixteenths or triplets, and on any usual place, where a file's own grid holds."""
SMALLEST_SHIFT = 0.05
"""Frames; a smaller one moves no note, and jitter alone can look like it."""


@dataclass(frozen=True)
class Alignment:
    """Where the frames of a file lie in its own time.

    Attributes:
        kind: how the grid was found. `stated`: the file's ticks are the grid. `shifted`: one shift brings the
            notes onto it. `annotated`: the music is put on beats from a file beside it. `unaligned`: no
            shift does; the frames are the file's own time and 4/4 is assumed where it states no meter.
        meter: where bars lie, and how many frames a quarter note has.
        ticks: (K,) increasing ticks whose place is known, at least two.
        places: (K,) their places in frames; linear in between and beyond.
        off_grid: share of notes more than a quarter frame from the frame they are put in.
        off_grid_before: the same in the file's own time.
    """

    kind: Kind
    meter: Meter
    ticks: Places
    places: Places
    off_grid: float = 0.0
    off_grid_before: float = 0.0

    def positions(self, ticks: Ticks) -> Places:
        """Places of ticks in frames, not rounded; below 0 before the first frame."""
        part = np.clip(np.searchsorted(self.ticks, ticks, side="right") - 1, 0, len(self.ticks) - 2)
        slope = np.diff(self.places) / np.diff(self.ticks)
        places: Places = self.places[part] + (ticks - self.ticks[part]) * slope[part]
        return places


def align(score: Score, grid: int = GRID, beats: Beats | None = None) -> Alignment:
    """The grid of a file, from what it says and, where that is nothing or wrong, from its notes.

    A file of beats beside it decides. Without one, the file's own ticks are the grid if its notes lie on them.
    If they do not, the phase of the sixteenths is the circular mean of where the notes begin (Fisher,
    Statistical Analysis of Circular Data, 1993), and the whole file is shifted by it. Time signatures hold
    as long as the file's own grid does; otherwise the first bar line is where accents suggest
    (`zoo.music.accents`).
    """
    own = _own_time(score, grid)
    if beats is not None and len(score.start):
        ticks, places, meter = on_beats(score, beats, grid)
        return _measured(score, replace(own, kind="annotated", meter=meter, ticks=ticks, places=places))
    if len(score.start) == 0 or _own_grid_holds(score) or _on_frames(own.positions(score.start)):
        return _measured(score, replace(own, meter=_stated_meter(score, grid) or own.meter))
    shift = _shift(own.positions(score.start) * GRID / grid) * grid / GRID
    shifted = _measured(score, replace(own, kind="shifted", places=own.places - shift))
    if shifted.off_grid > MOST_OFF:
        return _measured(score, replace(own, kind="unaligned", meter=_stated_meter(score, grid) or own.meter))
    if abs(shift) < SMALLEST_SHIFT and (meter := _stated_meter(score, grid)) is not None and _credible(
        score, meter, grid
    ):
        return _measured(score, replace(own, meter=meter))
    if abs(shift) < SMALLEST_SHIFT:
        shifted = _measured(score, own)
    return replace(shifted, meter=_accented_meter(score, shifted, grid))


def _own_time(score: Score, grid: int) -> Alignment:
    """The file's ticks as the grid."""
    ends = np.array([0.0, score.division])
    return Alignment("stated", Meter(grid), ends, ends * grid / score.division)


def _measured(score: Score, alignment: Alignment) -> Alignment:
    """The alignment with the shares of notes that it, and the file's own time, leave off the grid."""
    before = _own_time(score, alignment.meter.grid).positions(score.start)
    after = alignment.positions(score.start)
    return replace(alignment, off_grid=_off(after), off_grid_before=_off(before))


def _off(places: Places) -> float:
    return float((np.abs(places - np.rint(places)) > QUARTER_FRAME + 1e-9).mean()) if len(places) else 0.0


def _own_grid_holds(score: Score) -> bool:
    """Whether the notes lie where a program puts them that writes on the beat: on even or triplet places."""
    place = score.start / score.division % 1
    even, fine, triplets = (_on(place, parts, score.division) for parts in (4, 8, 6))
    least, most = SHARES
    return bool((even | triplets).mean() >= least and (even | fine | triplets).mean() >= most)


def _on_frames(places: Places) -> bool:
    """Whether the notes are written on the very frames that are asked for, as on a grid of sevenths."""
    return bool((np.abs(places - np.rint(places)) <= SAME_TICK).mean() >= SHARES[1])


def _on(place: Places, parts: int, division: int) -> NDArray[np.bool_]:
    near = np.abs(place * parts - np.rint(place * parts)) / parts
    return near <= max(EXACT, 1.0 / division) + 1e-9


def _shift(sixteenths: Places) -> float:
    """How far the notes lie behind the sixteenths, -0.5 to 0.5: their circular mean."""
    mean = np.exp(2j * np.pi * sixteenths).mean()
    return float(np.angle(mean) / (2 * np.pi))


def _stated_meter(score: Score, grid: int) -> Meter | None:
    """The time signatures of the file; one bar that is shorter than those after it is an upbeat."""
    signs = {tick: (beats, unit) for tick, beats, unit in score.signatures}
    if not signs:
        return None
    signs.setdefault(0, (4, 4))
    changes = [
        TimeSignature(int(np.floor(tick * grid / score.division + 0.5)), *sign)
        for tick, sign in sorted(signs.items())
    ]
    changes = [c for n, c in enumerate(changes) if n + 1 == len(changes) or changes[n + 1].frame > c.frame]
    if len(changes) > 1:
        first, second = changes[:2]
        length, bar = second.frame - first.frame, second.bar(grid)
        again = (first.beats, first.unit) == (second.beats, second.unit)
        if length < bar and (length == first.bar(grid) or again):
            changes[:2] = [replace(second, frame=length - int(bar))]
    kept = changes[:1]
    for before, change in zip(changes, changes[1:], strict=False):
        same = (change.beats, change.unit) == (kept[-1].beats, kept[-1].unit)
        if not same or (change.frame - kept[-1].frame) % kept[-1].bar(grid):
            kept.append(change)
    return Meter(grid, tuple(kept))


def _credible(score: Score, meter: Meter, grid: int) -> bool:
    """Whether bars of two or more beats, as stated, agree with the beats that the notes suggest."""
    return len(meter.changes) > 1 or meter.changes[0].bar(grid) > 2 * grid


def _accented_meter(score: Score, alignment: Alignment, grid: int) -> Meter:
    """Bars of the stated length, or of 4/4 where that is short of three quarters, where accents put them."""
    stated = _stated_meter(score, grid)
    sign = TimeSignature()
    if stated is not None and len(stated.changes) == 1 and stated.changes[0].bar(grid) > 2 * grid:
        sign = replace(stated.changes[0], frame=0)
    bar, beat = int(sign.bar(grid)), int(sign.beat(grid))
    if bar < 2 or beat < 1 or bar % beat:
        return Meter(grid)
    start = np.maximum(np.floor(alignment.positions(score.start) + 0.5), 0).astype(np.int64)
    end = np.floor(alignment.positions(score.end) + 0.5).astype(np.int64)
    phase = bar_phase(start, np.maximum(end, start + 1), score.pitch, beat, bar)
    return Meter(grid, (replace(sign, frame=-(-phase % bar)),))
