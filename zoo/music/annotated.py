"""Derive the grid and the bars of a piece from the annotated beats in a beat file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zoo.music.barline import FoundMeter
from zoo.music.beats import Beats
from zoo.music.meter import Meter, TimeSignature
from zoo.music.rounding import nearest
from zoo.music.score import Score
from zoo.music.tempo import ticks_at
from zoo.music.writing import MAX_BEATS

Places = NDArray[np.float64]
Numbers = NDArray[np.int64]

MISSING_BEAT = 1.5
"""A beat may be missing in an interval that is longer than the neighbouring intervals by this factor."""
NEIGHBOURS = 4
"""Number of intervals on each side that an interval is compared with."""
TOLERANCE = 0.2
"""Where no bars are marked, beats are missing only if the ratio of the interval to its neighbours differs
from a whole number by less than this."""
LENGTHS = (*(Fraction(1, 2**n) for n in range(5)), Fraction(2), Fraction(3, 4), Fraction(3, 2), Fraction(3))
"""Possible lengths of a beat in quarter notes."""


def on_beats(score: Score, beats: Beats, grid: int) -> tuple[Places, Places, FoundMeter]:
    """The ticks of the beats, their positions in frames, and the meter given by the downbeats.

    The length of a beat follows from the time signatures in the beat file; without any, it is a dotted
    quarter note if the MIDI file states a compound meter, else a quarter note. Positions between two beats
    are interpolated linearly. If a bar has too few beats and contains an interval that is longer by the
    missing ones, they are assumed to be missing in the annotation and counted. Any other bar has the beats
    that are marked, so a shorter bar is a change of meter.

    Silence before the first beat is kept and extended to whole beats, so that no note is before frame 0.
    """
    ticks = ticks_at(score, beats.seconds)
    number = _numbers(ticks, beats.downbeat)
    quarters = _lengths(score, beats, number)
    lengths = np.array([float(length * grid) for length in quarters])
    places = np.concatenate([[0.0], np.cumsum(lengths[:-1] * np.diff(number))])
    silence = ticks[0] / (ticks[1] - ticks[0]) * places[1]
    whole = (quarters[0] * grid).numerator
    places = places + np.ceil((silence - 0.5) / whole) * whole
    return ticks, places, _meter(score, places, number, quarters, beats, grid)


def _numbers(ticks: Places, downbeat: NDArray[np.bool_]) -> Numbers:
    """The number of each beat (N,), counting the beats that are missing in the annotation."""
    intervals = np.diff(ticks)
    padded = np.pad(intervals, NEIGHBOURS, mode="reflect" if len(intervals) > NEIGHBOURS else "edge")
    ratio = intervals / np.median(sliding_window_view(padded, 2 * NEIGHBOURS + 1), axis=1)
    missing = np.where(ratio > MISSING_BEAT, np.rint(ratio) - 1, 0).astype(np.int64)
    # Slowing down also makes intervals longer: within bars, beats are missing only if they complete the bar.
    bar = np.cumsum(downbeat)[:-1]
    counts = np.bincount(bar)
    completed = counts + np.bincount(bar, missing).astype(np.int64)
    usual = _most_common(np.diff(np.flatnonzero(downbeat)))
    completes = (counts % usual != 0) & (completed % usual == 0)
    near_whole = np.abs(ratio - np.rint(ratio)) < TOLERANCE
    outside_bars = (bar == 0) | (bar == downbeat.sum())
    missing[~np.where(outside_bars, near_whole, completes[bar])] = 0
    return np.concatenate([[0], np.cumsum(1 + missing)])


def _most_common(counts: Numbers) -> int:
    """The most common count; 1 if there are none."""
    return int(np.bincount(counts).argmax()) if len(counts) else 1


def _lengths(score: Score, beats: Beats, number: Numbers) -> list[Fraction]:
    """The length of each beat (N,) in quarter notes."""
    compound = any(unit >= 8 and upper % 3 == 0 for _, upper, unit in score.signatures[:1])
    quarters = Fraction(3 * 4, score.signatures[0][2]) if compound else Fraction(1)
    sections = [(0, 0, 1), *beats.signatures]
    ends = [*(beat for beat, _, _ in sections[1:]), len(number)]
    lengths: list[Fraction] = []
    for (first, upper, unit), end in zip(sections, ends, strict=True):
        bars = np.diff(number[first : end + 1][beats.downbeat[first : end + 1]])
        stated = Fraction(4 * upper, unit * _most_common(bars))
        quarters = stated if stated in LENGTHS and len(bars) else quarters
        lengths += [quarters] * (end - first)
    return lengths


def _meter(
    score: Score, places: Places, number: Numbers, lengths: list[Fraction], beats: Beats, grid: int
) -> FoundMeter:
    """The meter from the downbeats; without complete bars, the MIDI file's own from the first downbeat on."""
    lines = np.flatnonzero(beats.downbeat).tolist()
    frames = nearest(places).tolist()
    signatures = list(_signatures(frames, lines, number, lengths, beats))
    if not signatures:
        own = score.signatures[0][1:] if score.signatures else (4, 4)
        signature = TimeSignature(frames[lines[0]] if lines else 0, *own)
        meter = Meter(grid, (signature.opening(grid),))
        return FoundMeter(meter, "stated" if score.signatures else "assumed")
    changes: list[TimeSignature] = []
    for signature in signatures:
        if changes and changes[-1].frame == signature.frame:  # a bar shorter than a frame
            changes.pop()
        if not changes or not changes[-1].implies(signature, grid):
            changes.append(signature)
    meter = Meter(grid, (changes[0].opening(grid), *changes[1:]))
    return FoundMeter(meter, "annotated")


def _signatures(
    frames: list[int], lines: list[int], number: Numbers, lengths: list[Fraction], beats: Beats
) -> Iterator[TimeSignature]:
    """The time signature of each bar from its number of beats; for the last bar, only if it is stated."""
    stated = {beat: (upper, unit) for beat, upper, unit in beats.signatures}
    current, usual = (0, 1), _most_common(np.diff(number[lines]))
    for line, following in pairwise(lines):
        current = stated.get(line, current)
        count = int(number[following] - number[line])
        if count > following - line and count % usual == 0:
            count = usual  # a missing beat is a downbeat, so this is more than one bar
        usual = count
        yield _signature(frames[line], count, lengths[line], current)
    if lines and lines[-1] in stated:
        yield TimeSignature(frames[lines[-1]], *stated[lines[-1]])


def _signature(frame: int, count: int, quarters: Fraction, stated: tuple[int, int]) -> TimeSignature:
    """The time signature of a bar of `count` beats: the stated one if it fits, else the simplest one."""
    bar = count * quarters
    if stated[0] and Fraction(4 * stated[0], stated[1]) == bar:
        return TimeSignature(frame, *stated)
    if count * quarters.numerator > MAX_BEATS:  # no file can say so: every beat is a bar
        count = 1
    return TimeSignature(frame, count * quarters.numerator, 4 * quarters.denominator)
