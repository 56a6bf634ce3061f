"""Alignment: the grid that a MIDI file was made on, its sixteenths, its beats and its bars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from operator import ge
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zoo.music.accents import Accents
from zoo.music.beats import Beats, on_beats
from zoo.music.grid import GRID
from zoo.music.meter import Meter, TimeSignature
from zoo.music.score import Score, Ticks

Kind = Literal["stated", "shifted", "annotated", "unaligned"]
Places = NDArray[np.float64]

QUARTER_FRAME = 0.25
"""From this part of a frame on a note lies off the grid."""
MOST_OFF = 0.3
"""Share of notes off the grid above which a file follows no beat: chance puts half of the notes there,
triplets on a grid of sixteenths a third."""
FEWEST = 16
"""Notes of a file that are enough to shift its grid or its bars."""
EXACT = 0.01
"""Quarter notes: ticks that are rounded by other programs stray less than that."""
ON_EIGHTHS, ON_EVEN_PLACES, ON_ANY_PLACES = 0.25, 0.5, 0.9
"""Least shares of notes on eighths, on sixteenths or triplets, and on these or thirty-seconds, where the grid
of a file holds. In triplets every third note is on an eighth; in music a third of a beat late, none."""
SAME_TICK = 1e-4
"""Frames: less than a tick, more than arithmetic errs."""
SMALLEST_SHIFT = 0.05
"""Frames; a smaller one moves no note, and jitter alone can look like it."""
NO_BAR = 1
"""Quarter notes; programs that know no meter state bars that are as short."""

TOO_MUCH_DOUBT = 6.0
"""Standard errors by which another place of the beat is stronger, so that a stated meter cannot be meant."""


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

    A file of beats beside it decides. Without one, the file's own ticks are the grid if notes lie on them.
    If they do not, the phase of the sixteenths is the circular mean of where the notes begin (Fisher,
    Statistical Analysis of Circular Data, 1993), and the whole file is shifted by it. Time signatures hold
    as long as the file's own grid does; otherwise, and where there are none, the first bar line is where
    accents suggest (`zoo.music.accents`).

    Args:
        score: the notes of the file, with its tempo and its time signatures.
        grid: frames to a quarter note.
        beats: where the beats are, if that is known.
    """
    own = _own_time(score, grid)
    if len(score.start) == 0:
        return replace(own, meter=_stated_meter(score, grid) or own.meter)
    if beats is not None:
        ticks, places, meter = on_beats(score, beats, grid)
        return _measured(score, replace(own, kind="annotated", meter=meter, ticks=ticks, places=places))
    stated, exact = _stated_meter(score, grid), _on_frames(own.positions(score.start))
    if stated is not None and not exact and max(sign.bar(grid) for sign in stated.changes) <= NO_BAR * grid:
        stated = None
    if len(score.start) < FEWEST or exact or _own_grid_holds(score):
        return _measured(score, replace(own, meter=stated or _unstated_meter(score, own)))
    shift = _shift(own.positions(score.start) * GRID / grid) * grid / GRID
    shifted = _measured(score, replace(own, kind="shifted", places=own.places - shift))
    if shifted.off_grid > MOST_OFF:
        return _measured(score, replace(own, kind="unaligned", meter=stated or own.meter))
    if abs(shift) < SMALLEST_SHIFT:
        return _measured(score, replace(own, meter=stated or _unstated_meter(score, own)))
    if stated is not None and not _contradicted(score, shifted, stated):
        return replace(shifted, meter=stated)
    return replace(shifted, meter=_accented_meter(score, shifted, stated))


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
    return float((np.abs(places - np.rint(places)) > QUARTER_FRAME + 1e-9).mean())


def _own_grid_holds(score: Score) -> bool:
    """Whether the notes lie where a program puts them that writes on the beat: on even or triplet places."""
    place = score.start / score.division % 1
    eighths, even, fine, triplets = (_on(place, parts, score.division) for parts in (2, 4, 8, 6))
    even |= triplets
    shares = eighths.mean(), even.mean(), (even | fine).mean()
    return all(map(ge, shares, (ON_EIGHTHS, ON_EVEN_PLACES, ON_ANY_PLACES)))


def _on_frames(places: Places) -> bool:
    """Whether the notes are on the very frames that are asked for, as in a file written from this grid."""
    return bool((np.abs(places - np.rint(places)) <= SAME_TICK).mean() >= ON_ANY_PLACES)


def _on(place: Places, parts: int, division: int) -> NDArray[np.bool_]:
    near = np.abs(place * parts - np.rint(place * parts)) / parts
    return near <= max(EXACT, 1.0 / division) + 1e-9


def _shift(sixteenths: Places) -> float:
    """How far the notes lie behind the sixteenths, -0.5 to 0.5: their circular mean."""
    mean = np.exp(2j * np.pi * sixteenths).mean()
    return float(np.angle(mean) / (2 * np.pi))


def _stated_meter(score: Score, grid: int) -> Meter | None:
    """The time signatures of the file, if it has any; a shorter bar at the beginning is an upbeat."""
    signs = {tick: (beats, unit) for tick, beats, unit in score.signatures}
    if not signs:
        return None
    signs.setdefault(0, (4, 4))
    at = np.array(sorted(signs), np.float64) * grid / score.division
    frames = np.floor(at + 0.5).astype(int).tolist()
    by_frame = {frame: signs[tick] for frame, tick in zip(frames, sorted(signs), strict=True)}
    changes = _with_upbeat([TimeSignature(frame, *sign) for frame, sign in by_frame.items()], grid)
    kept = changes[:1]
    for change in changes[1:]:
        last = kept[-1]
        goes_on = (change.frame - last.frame) % last.bar(grid) == 0
        if not goes_on or (change.beats, change.unit) != (last.beats, last.unit):
            kept.append(change)
    return Meter(grid, tuple(kept))


def _with_upbeat(changes: list[TimeSignature], grid: int) -> list[TimeSignature]:
    """The changes, the first of them an upbeat where it is one shorter bar, or is cut short."""
    if len(changes) < 2:
        return changes
    first, second = changes[:2]
    length, bar = Fraction(second.frame - first.frame), second.bar(grid)
    again = (first.beats, first.unit) == (second.beats, second.unit)
    if length < bar and (again or length == first.bar(grid)):
        changes[:2] = [replace(second, frame=first.frame + int(length - bar))]
    return changes


def _accented_meter(score: Score, alignment: Alignment, stated: Meter | None) -> Meter:
    """Bars where accents put them, of the stated length if one is stated that is longer than two beats."""
    grid = alignment.meter.grid
    sign = TimeSignature()
    if stated is not None and len(stated.changes) == 1 and stated.changes[0].bar(grid) > 2 * grid:
        sign = replace(stated.changes[0], frame=0)
    bar, beat = sign.bar(grid), sign.beat(grid)
    if bar.denominator > 1 or beat.denominator > 1 or bar % beat:
        return Meter(grid)
    phase = _accents(score, alignment).bar_phase(int(beat), int(bar))
    return Meter(grid, (replace(sign, frame=phase - int(bar) if phase else 0),))


def _unstated_meter(score: Score, alignment: Alignment) -> Meter:
    """4/4 from the beginning, as MIDI has it by default, unless accents clearly fall elsewhere."""
    grid = alignment.meter.grid
    doubtful = len(score.start) >= FEWEST and _accents(score, alignment).doubt(4 * grid, 0) > TOO_MUCH_DOUBT
    return _accented_meter(score, alignment, None) if doubtful else Meter(grid)


def _contradicted(score: Score, alignment: Alignment, stated: Meter) -> bool:
    """Whether accents fall on another place of the beat, too often for chance, than the stated meter says."""
    first = stated.changes[0]
    beat = first.beat(stated.grid)
    if beat.denominator > 1 or beat <= 1:
        return False
    return _accents(score, alignment).doubt(int(beat), first.frame % int(beat)) > TOO_MUCH_DOUBT


def _accents(score: Score, alignment: Alignment) -> Accents:
    start = np.maximum(np.floor(alignment.positions(score.start) + 0.5), 0).astype(np.int64)
    end = np.floor(alignment.positions(score.end) + 0.5).astype(np.int64)
    return Accents(start, np.maximum(end, start + 1), score.pitch)
