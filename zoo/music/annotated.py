"""Music on annotated beats: its frames and bars where a file beside it says where the beats are."""

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

Places = NDArray[np.float64]
Numbers = NDArray[np.int64]

SKIPPED = 1.5
"""An interval of this many of its neighbours may lack a beat."""
NEIGHBOURS = 4
"""Intervals on each side with which one is compared."""
WHOLE = 0.2
"""As near to a whole number of its neighbours an interval that lacks beats is, where no bars are marked."""
LENGTHS = (*(Fraction(1, 2**n) for n in range(5)), Fraction(2), Fraction(3, 4), Fraction(3, 2), Fraction(3))
"""Quarter notes in a beat, as meters have them."""


def on_beats(score: Score, beats: Beats, grid: int) -> tuple[Places, Places, FoundMeter]:
    """Ticks of the beats, their places in frames, and the meter that the downbeats make.

    A beat is what the time signatures of the annotation make it, else a dotted quarter note where the MIDI
    file states a compound meter, else a quarter note. Time runs evenly between two beats. Where a bar
    has too few beats and an interval as long as the missing ones, the annotation lacks them, and they are
    counted. Any other bar has the beats that are marked: a shorter one is a change of meter.

    Silence before the first beat stays, filled up to whole beats, so that no note lies before frame 0.
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
    """The number of each beat (N,); those that the annotation lacks are counted."""
    intervals = np.diff(ticks)
    around = np.pad(intervals, NEIGHBOURS, mode="reflect" if len(intervals) > NEIGHBOURS else "edge")
    ratio = intervals / np.median(sliding_window_view(around, 2 * NEIGHBOURS + 1), axis=1)
    more = np.where(ratio > SKIPPED, np.rint(ratio) - 1, 0).astype(np.int64)
    bar = np.cumsum(downbeat)[:-1]
    counts = np.bincount(bar)
    filled = counts + np.bincount(bar, more).astype(np.int64)
    usual = _usual(np.diff(np.flatnonzero(downbeat)))
    short = (counts % usual != 0) & (filled % usual == 0)
    whole = np.abs(ratio - np.rint(ratio)) < WHOLE
    outside = (bar == 0) | (bar == downbeat.sum())
    more[~np.where(outside, whole, short[bar])] = 0
    return np.concatenate([[0], np.cumsum(1 + more)])


def _usual(counts: Numbers) -> int:
    """The most common of some counts; 1 where there are none."""
    return int(np.bincount(counts).argmax()) if len(counts) else 1


def _lengths(score: Score, beats: Beats, number: Numbers) -> list[Fraction]:
    """The length of each beat (N,) in quarter notes."""
    compound = any(unit >= 8 and upper % 3 == 0 for _, upper, unit in score.signatures[:1])
    quarters = Fraction(3 * 4, score.signatures[0][2]) if compound else Fraction(1)
    stretches = [(0, 0, 1), *beats.signatures]
    ends = [*(beat for beat, _, _ in stretches[1:]), len(number)]
    lengths: list[Fraction] = []
    for (first, upper, unit), end in zip(stretches, ends, strict=True):
        bars = np.diff(number[first : end + 1][beats.downbeat[first : end + 1]])
        stated = Fraction(4 * upper, unit * _usual(bars))
        quarters = stated if stated in LENGTHS and len(bars) else quarters
        lengths += [quarters] * (end - first)
    return lengths


def _meter(
    score: Score, places: Places, number: Numbers, lengths: list[Fraction], beats: Beats, grid: int
) -> FoundMeter:
    """Bars from downbeat to downbeat and as stated; without either, the file's own from the downbeat on."""
    lines = np.flatnonzero(beats.downbeat).tolist()
    frames = nearest(places).tolist()
    signs = list(_signs(frames, lines, number, lengths, beats))
    if not signs:
        own = score.signatures[0][1:] if score.signatures else (4, 4)
        sign = TimeSignature(frames[lines[0]] if lines else 0, *own)
        meter = Meter(grid, (sign.opening(grid),))
        return FoundMeter(meter, "stated" if score.signatures else "assumed")
    changes: list[TimeSignature] = []
    for sign in signs:
        if changes and changes[-1].frame == sign.frame:  # on a coarse grid, bars may be shorter than a frame
            changes.pop()
        if not changes or not changes[-1].holds(sign, grid):
            changes.append(sign)
    meter = Meter(grid, (changes[0].opening(grid), *changes[1:]))
    return FoundMeter(meter, "annotated")


def _signs(
    frames: list[int], lines: list[int], number: Numbers, lengths: list[Fraction], beats: Beats
) -> Iterator[TimeSignature]:
    """The time signature of each bar by the count of its beats; of the last, which has no end, as stated."""
    stated = {beat: (upper, unit) for beat, upper, unit in beats.signatures}
    written, usual = (0, 1), _usual(np.diff(number[lines]))
    for line, following in pairwise(lines):
        written = stated.get(line, written)
        count = int(number[following] - number[line])
        if count > following - line and count % usual == 0:
            count = usual  # the beat that the annotation lacks begins a bar
        usual = count
        yield _sign(frames[line], count, lengths[line], written)
    if lines and lines[-1] in stated:
        yield TimeSignature(frames[lines[-1]], *stated[lines[-1]])


def _sign(frame: int, count: int, quarters: Fraction, stated: tuple[int, int]) -> TimeSignature:
    """The time signature of a bar of `count` beats: as it is stated if it can be, else as short as can be."""
    bar = count * quarters
    if stated[0] and Fraction(4 * stated[0], stated[1]) == bar:
        return TimeSignature(frame, *stated)
    return TimeSignature(frame, count * quarters.numerator, 4 * quarters.denominator)
