"""Alignment: find the sixteenths, beats and bars of a MIDI file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import ge
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zoo.music.accents import Accents
from zoo.music.annotated import on_beats
from zoo.music.barline import FoundMeter, MeterFinder, MeterFrom
from zoo.music.beats import Beats
from zoo.music.grid import GRID
from zoo.music.meter import Meter
from zoo.music.rounding import SAME_PLACE
from zoo.music.score import Score, Ticks

AlignmentKind = Literal["stated", "shifted", "annotated", "unaligned"]
Places = NDArray[np.float64]

QUARTER_FRAME = 0.25
"""A note is off the grid if it is more than this part of a frame away from a frame."""
MAX_OFF = 0.3
"""A file follows no beat if more than this share of its notes is off the sixteenths (or the sextuplets, if
they fit better); for random onsets, it is half of them."""
MIN_NOTES = 16
"""A file with fewer notes keeps its own grid and bars."""
EXACT = 0.01
"""Tolerance in quarter notes; rounding to ticks by other programs causes smaller errors."""
ON_EIGHTHS, ON_EVEN_PLACES, ON_ANY_PLACES = 0.25, 0.5, 0.9
"""A file's own grid is used if at least these shares of its notes are on eighths, on sixteenths or triplets,
and on either of these or thirty-seconds. Every third note of a run of triplets is on an eighth; if the run is
a third of a beat late, none is."""
MIN_SHIFT = 0.05 / 4
"""Quarter notes; a smaller shift may be caused by jitter alone."""
SIXTEENTHS, SEXTUPLETS = 4, 6
"""Notes per quarter note."""
MIN_ADVANTAGE = 0.1
"""Sextuplets are assumed if the mean resultant length on them is larger by this margin; eighths are on both
grids and do not favour either."""


@dataclass(frozen=True)
class Alignment:
    """The mapping between the ticks of a file and the frames of the grid.

    Attributes:
        kind: how the grid was found. `stated`: the grid follows the file's ticks. `shifted`: the grid is
            shifted to fit the notes. `annotated`: the grid follows a beat file. `unaligned`: the notes fit no
            grid, so it follows the file's ticks.
        meter: the grid and the bars.
        ticks: (K,) increasing ticks whose positions are known; at least two.
        places: (K,) their positions in frames, increasing; other positions are interpolated or extrapolated
            linearly.
        off_grid: share of notes that are more than a quarter of a frame from their frame.
        off_grid_before: the same on the file's own grid.
        meter_from: how the meter was found; see `zoo.music.barline.FoundMeter`.
    """

    kind: AlignmentKind
    meter: Meter
    ticks: Places
    places: Places
    off_grid: float = 0.0
    off_grid_before: float = 0.0
    meter_from: MeterFrom = "assumed"

    def with_meter(self, meter: FoundMeter) -> Alignment:
        """The alignment with this meter."""
        return replace(self, meter=meter.meter, meter_from=meter.origin)

    def positions(self, ticks: Ticks) -> Places:
        """The positions of ticks in frames, not rounded; negative before the first frame."""
        return _interpolate(self.ticks, self.places, np.asarray(ticks, np.float64))

    def ticks_at(self, places: Places) -> Places:
        """The ticks at positions in frames, not rounded."""
        return _interpolate(self.places, self.ticks, places)


def align(score: Score, grid: int = GRID, beats: Beats | None = None) -> Alignment:
    """Find the grid of a file, from what it states, or from its notes if that is missing or wrong.

    A beat file takes precedence. Without one, the grid follows the file's ticks if the notes are on it. If
    not, the phase of the sixteenths is the circular mean of the onsets (Fisher, Statistical Analysis of
    Circular Data, 1993), and the grid is shifted by it. For triplets and swing, where this mean is
    misleading, the phase of the sextuplets is used, and accents decide which of them is the beat. Time
    signatures are used unless the notes contradict them; in that case, markers or accents determine the first
    bar line (`zoo.music.barline`).

    Args:
        score: the notes of the file, with its tempos and time signatures.
        grid: frames per quarter note.
        beats: beats from a beat file, if there is one.
    """
    unshifted = _unshifted(score, grid)
    if beats is not None and len(score.start):
        ticks, places, meter = on_beats(score, beats, grid)
        annotated = replace(unshifted, kind="annotated", ticks=ticks, places=places)
        return _measured(score, annotated.with_meter(meter))
    unshifted = _measured(score, unshifted)
    if len(score.start) < MIN_NOTES:
        return unshifted.with_meter(_bars(score, unshifted).stated_or_assumed())
    if _fits_own_grid(score) or _on_frames(unshifted.positions(score.start)):
        return unshifted.with_meter(_bars(score, unshifted).checked())
    shift, off = _shift(score)
    if off > MAX_OFF:
        return replace(unshifted, kind="unaligned").with_meter(_bars(score, unshifted).stated_or_assumed())
    shifted = _measured(score, replace(unshifted, kind="shifted", places=unshifted.places - shift * grid))
    # A shift that changes no frame and brings no note closer only adds error to every position.
    helps = abs(shift) * grid > QUARTER_FRAME or shifted.off_grid < unshifted.off_grid
    return _with_bars(score, shifted if helps and abs(shift) > MIN_SHIFT else unshifted)


def _interpolate(known: Places, values: Places, at: Places) -> Places:
    """Linear interpolation between known values; beyond them, extrapolation of the first or last segment."""
    segment = np.clip(np.searchsorted(known, at, side="right") - 1, 0, len(known) - 2)
    slope = np.diff(values) / np.diff(known)
    interpolated: Places = values[segment] + (at - known[segment]) * slope[segment]
    return interpolated


def _unshifted(score: Score, grid: int) -> Alignment:
    """The alignment in which frame 0 is tick 0 and a quarter note has as many ticks as the file states."""
    ends = np.array([0.0, score.division])
    return Alignment("stated", Meter(grid), ends, ends * grid / score.division)


def _measured(score: Score, alignment: Alignment) -> Alignment:
    """The alignment with the shares of notes that are off its grid and off the file's own grid."""
    before = _unshifted(score, alignment.meter.grid).positions(score.start)
    after = alignment.positions(score.start)
    return replace(alignment, off_grid=_off(after), off_grid_before=_off(before))


def _off(places: Places) -> float:
    return (
        float((np.abs(places - np.rint(places)) > QUARTER_FRAME + SAME_PLACE).mean()) if len(places) else 0.0
    )


def _fits_own_grid(score: Score) -> bool:
    """Whether most notes are on eighths, sixteenths, triplets or thirty-seconds of the file's own beats."""
    place = score.start / score.division % 1
    eighths, even, fine, triplets = (_on(place, parts, score.division) for parts in (2, 4, 8, 6))
    even |= triplets
    shares = eighths.mean(), even.mean(), (even | fine).mean()
    return all(map(ge, shares, (ON_EIGHTHS, ON_EVEN_PLACES, ON_ANY_PLACES)))


def _on_frames(places: Places) -> bool:
    """Whether every note is exactly on a frame, as in a file that was written from this grid."""
    return bool((np.abs(places - np.rint(places)) < SAME_PLACE).all())


def _on(place: Places, parts: int, division: int) -> NDArray[np.bool_]:
    near = np.abs(place * parts - np.rint(place * parts)) / parts
    return near <= max(EXACT, 1.0 / division) + 1e-9


def _shift(score: Score) -> tuple[float, float]:
    """The lateness of the notes in quarter notes, and the share of notes off the shifted grid."""
    quarters = score.start / score.division
    means = {parts: np.exp(2j * np.pi * parts * quarters).mean() for parts in (SIXTEENTHS, SEXTUPLETS)}
    in_triplets = abs(means[SEXTUPLETS]) > abs(means[SIXTEENTHS]) + MIN_ADVANTAGE
    parts = SEXTUPLETS if in_triplets else SIXTEENTHS
    shift = float(np.angle(means[parts]) / (2 * np.pi * parts))
    off = _off((quarters - shift) * parts)
    return (_on_the_beat(score, shift) if in_triplets else shift), off


def _on_the_beat(score: Score, shift: float) -> float:
    """Correct a shift of sextuplets, known modulo a sixth, so that the beat falls on a beat."""
    start, end = (
        np.rint((ticks / score.division - shift) * SEXTUPLETS) for ticks in (score.start, score.end)
    )
    start = np.maximum(start, 0).astype(np.int64)
    accents = Accents(start, np.maximum(end.astype(np.int64), start + 1), score.pitch, SEXTUPLETS)
    shift += accents.beat_phase(SEXTUPLETS) / SEXTUPLETS
    shift -= np.rint(2 * shift) / 2  # the smallest such shift; bars decide which of two eighths is the beat
    # The first note must not end up before frame 0.
    early = np.ceil((shift - score.start[0] / score.division) * SIXTEENTHS - 0.5) / SIXTEENTHS
    return float(shift - max(early, 0))


def _bars(score: Score, alignment: Alignment) -> MeterFinder:
    """The bars of a score on its grid."""
    return MeterFinder(score, alignment.meter.grid, alignment.positions)


def _with_bars(score: Score, alignment: Alignment) -> Alignment:
    """Add the meter to the alignment of a file whose notes are not exactly on its own grid.

    If a shifted file has a single time signature at its beginning, this may be just the default of the
    program that wrote it, so the accents must confirm the bar line. In other cases, they must confirm the
    beat.
    """
    bars = _bars(score, alignment)
    stated = bars.stated()
    if stated is None:
        return alignment.with_meter(bars.checked() if alignment.kind == "stated" else bars.heard(None))
    maybe_default = alignment.kind == "shifted" and len(score.signatures) == 1 and score.signatures[0][0] == 0
    contradicted = bars.contradict(stated, beat_only=not maybe_default)
    return alignment.with_meter(bars.heard(stated) if contradicted else FoundMeter(stated, "stated"))
