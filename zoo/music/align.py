"""Alignment: the grid that a MIDI file was made on, its sixteenths, its beats and its bars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import ge
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zoo.music.accents import Accents
from zoo.music.annotated import on_beats
from zoo.music.barline import Bars, FoundMeter, MeterFrom
from zoo.music.beats import Beats
from zoo.music.grid import GRID
from zoo.music.meter import Meter
from zoo.music.rounding import SAME_PLACE
from zoo.music.score import Score, Ticks

Kind = Literal["stated", "shifted", "annotated", "unaligned"]
Places = NDArray[np.float64]

QUARTER_FRAME = 0.25
"""From this part of a frame on a note lies off the grid."""
MOST_OFF = 0.3
"""Share of notes off sixteenths, or off sextuplets where these fit better, above which a file follows no
beat: chance puts half of the notes there."""
FEWEST = 16
"""Notes of a file that are enough to shift its grid or its bars."""
EXACT = 0.01
"""Quarter notes: ticks that are rounded by other programs stray less than that."""
ON_EIGHTHS, ON_EVEN_PLACES, ON_ANY_PLACES = 0.25, 0.5, 0.9
"""Least shares of notes on eighths, on sixteenths or triplets, and on these or thirty-seconds, where a
file's own grid holds. In triplets every third note is on an eighth; a third of a beat late, none is."""
SMALLEST_SHIFT = 0.05 / 4
"""Quarter notes; jitter alone can look like a smaller one."""
SIXTEENTHS, SEXTUPLETS = 4, 6
"""Notes to a quarter note."""
CLEARLY = 0.1
"""By how much more notes must agree on sextuplets; eighths, which are both, agree as much on either."""


@dataclass(frozen=True)
class Alignment:
    """Where the frames of a file lie in its own time.

    Attributes:
        kind: how the grid was found. `stated`: the file's ticks are the grid. `shifted`: one shift brings the
            notes onto it. `annotated`: the music is put on beats from a file beside it. `unaligned`: no
            shift does; the frames are the file's own time.
        meter: where bars lie, and how many frames a quarter note has.
        ticks: (K,) increasing ticks whose place is known, at least two.
        places: (K,) increasing, their places in frames; linear in between and beyond.
        off_grid: share of notes more than a quarter frame from the frame they are put in.
        off_grid_before: the same in the file's own time.
        meter_from: how the meter was found; see `zoo.music.barline.FoundMeter`.
    """

    kind: Kind
    meter: Meter
    ticks: Places
    places: Places
    off_grid: float = 0.0
    off_grid_before: float = 0.0
    meter_from: MeterFrom = "assumed"

    def in_bars(self, found: FoundMeter) -> Alignment:
        """The alignment with these bars."""
        return replace(self, meter=found.meter, meter_from=found.found)

    def positions(self, ticks: Ticks) -> Places:
        """Places of ticks in frames, not rounded; below 0 before the first frame."""
        return _along(self.ticks, self.places, np.asarray(ticks, np.float64))

    def ticks_at(self, places: Places) -> Places:
        """The ticks at places in frames, not rounded."""
        return _along(self.places, self.ticks, places)


def align(score: Score, grid: int = GRID, beats: Beats | None = None) -> Alignment:
    """The grid of a file, from what it says and, where that is nothing or wrong, from its notes.

    A file of beats beside it decides. Without one, the file's own ticks are the grid if notes lie on them. If
    they do not, the phase of the sixteenths is the circular mean of where the notes begin (Fisher,
    Statistical Analysis of Circular Data, 1993), and the whole file is shifted by it; for triplets and swing,
    where that mean misleads, the phase of the sextuplets is taken, and accents say which of them is the beat.
    Time signatures hold as long as the notes do not contradict them; otherwise the first bar line is where
    markers or accents suggest (`zoo.music.barline`).

    Args:
        score: the notes of the file, with its tempo and its time signatures.
        grid: frames to a quarter note.
        beats: where the beats are, if that is known.
    """
    own = _own_time(score, grid)
    if beats is not None and len(score.start):
        ticks, places, found = on_beats(score, beats, grid)
        return _measured(score, replace(own, kind="annotated", ticks=ticks, places=places).in_bars(found))
    own = _measured(score, own)
    if len(score.start) < FEWEST:
        return own.in_bars(_bars(score, own).stated_or_assumed())
    if _own_grid_holds(score) or _on_frames(own.positions(score.start)):
        return own.in_bars(_bars(score, own).believed())
    shift, off = _shift(score)
    if off > MOST_OFF:
        return replace(own, kind="unaligned").in_bars(_bars(score, own).stated_or_assumed())
    shifted = _measured(score, replace(own, kind="shifted", places=own.places - shift * grid))
    far = abs(shift) * grid > QUARTER_FRAME or shifted.off_grid < own.off_grid
    moves = far and abs(shift) > SMALLEST_SHIFT
    return _with_bars(score, shifted if moves else own)


def _along(known: Places, values: Places, at: Places) -> Places:
    """The values at these places of a line through known ones, and beyond them as at its ends."""
    part = np.clip(np.searchsorted(known, at, side="right") - 1, 0, len(known) - 2)
    slope = np.diff(values) / np.diff(known)
    found: Places = values[part] + (at - known[part]) * slope[part]
    return found


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
    return (
        float((np.abs(places - np.rint(places)) > QUARTER_FRAME + SAME_PLACE).mean()) if len(places) else 0.0
    )


def _own_grid_holds(score: Score) -> bool:
    """Whether the notes lie where a program puts them that writes on the beat: on even or triplet places."""
    place = score.start / score.division % 1
    eighths, even, fine, triplets = (_on(place, parts, score.division) for parts in (2, 4, 8, 6))
    even |= triplets
    shares = eighths.mean(), even.mean(), (even | fine).mean()
    return all(map(ge, shares, (ON_EIGHTHS, ON_EVEN_PLACES, ON_ANY_PLACES)))


def _on_frames(places: Places) -> bool:
    """Whether every note is on a frame, as in a file that was written from this grid."""
    return bool((np.abs(places - np.rint(places)) < SAME_PLACE).all())


def _on(place: Places, parts: int, division: int) -> NDArray[np.bool_]:
    near = np.abs(place * parts - np.rint(place * parts)) / parts
    return near <= max(EXACT, 1.0 / division) + 1e-9


def _shift(score: Score) -> tuple[float, float]:
    """How many quarter notes the notes lie behind the beat, and the share that such a shift leaves off it."""
    quarters = score.start / score.division
    means = {parts: np.exp(2j * np.pi * parts * quarters).mean() for parts in (SIXTEENTHS, SEXTUPLETS)}
    in_triplets = abs(means[SEXTUPLETS]) > abs(means[SIXTEENTHS]) + CLEARLY
    parts = SEXTUPLETS if in_triplets else SIXTEENTHS
    shift = float(np.angle(means[parts]) / (2 * np.pi * parts))
    off = _off((quarters - shift) * parts)
    return (_onto_the_beat(score, shift) if in_triplets else shift), off


def _onto_the_beat(score: Score, shift: float) -> float:
    """The shift by which sextuplets are on the beat and not beside it: the smallest, at most a sixteenth."""
    start, end = (
        np.rint((ticks / score.division - shift) * SEXTUPLETS) for ticks in (score.start, score.end)
    )
    start = np.maximum(start, 0).astype(np.int64)
    heard = Accents(start, np.maximum(end.astype(np.int64), start + 1), score.pitch, SEXTUPLETS)
    shift += heard.beat_phase(SEXTUPLETS) / SEXTUPLETS
    shift -= np.rint(2 * shift) / 2  # which of two eighths is the beat, the bars tell
    early = np.ceil((shift - score.start[0] / score.division) * SIXTEENTHS - 0.5) / SIXTEENTHS
    return float(shift - max(early, 0))


def _bars(score: Score, alignment: Alignment) -> Bars:
    """The bars of a score on its grid."""
    return Bars(score, alignment.meter.grid, alignment.positions)


def _with_bars(score: Score, alignment: Alignment) -> Alignment:
    """The alignment with the bars of a file whose notes are not exactly on its own grid.

    One time signature at the beginning of a file that had to be shifted may be no more than a program's
    default: it must agree with the bars that are heard. Others must agree with the beat.
    """
    bars = _bars(score, alignment)
    stated = bars.stated()
    if stated is None:
        return alignment.in_bars(bars.believed() if alignment.kind == "stated" else bars.heard(None))
    default = alignment.kind == "shifted" and len(score.signatures) == 1 and score.signatures[0][0] == 0
    doubted = bars.doubts(stated, beat_only=not default)
    return alignment.in_bars(bars.heard(stated) if doubted else FoundMeter(stated, "stated"))
