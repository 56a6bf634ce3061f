"""Meter: the bars and beats of a piece on the grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise, zip_longest
from math import ceil
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zoo.music.grid import GRID
from zoo.music.rounding import nearest_whole

Frames = NDArray[np.int64]

FAR = 2**40
"""A frame beyond the end of any piece."""


@dataclass(frozen=True)
class TimeSignature:
    """A time signature and the bar line from which it is in effect.

    Attributes:
        frame: frame of the bar line; negative if the piece begins with an upbeat.
        beats: upper number, 1 or more.
        unit: lower number, a power of two: 4 for quarter notes, 8 for eighths.
    """

    frame: int = 0
    beats: int = 4
    unit: int = 4

    def bar(self, grid: int) -> Fraction:
        """Length of a bar in frames; a fraction if the grid is too coarse for it."""
        return Fraction(4 * grid * self.beats, self.unit)

    def beat(self, grid: int) -> Fraction:
        """Length of a beat in frames: a dotted note in compound meters such as 6/8, else the unit."""
        compound = self.unit >= 8 and self.beats % 3 == 0
        return Fraction(4 * grid * (3 if compound else 1), self.unit)

    def opening(self, grid: int) -> TimeSignature:
        """The same bars, moved to start from a bar line at or before frame 0, as required by `Meter`.

        The last bar line that is exactly on a frame is used, so that all later ones are rounded as before.
        """
        return replace(self, frame=-(-self.frame % self.bar(grid).numerator))

    def implies(self, later: TimeSignature, grid: int) -> bool:
        """Whether a later time signature is redundant: its bar lines are the same, up to rounding."""
        bar = self.bar(grid)
        after = (later.frame - self.frame) % bar
        return (self.beats, self.unit) == (later.beats, later.unit) and min(after, bar - after) < 1

    def __str__(self) -> str:
        return f"{self.beats}/{self.unit}"


@dataclass(frozen=True)
class Places:
    """Positions of frames in their bars; int64 arrays of equal shape.

    Attributes:
        bar: number of the bar; 0 is the first whole bar, -1 an upbeat before it.
        place: frames since the bar line.
        length: frames in the bar.
        beat: frames in a beat, at least 1.
    """

    bar: Frames
    place: Frames
    length: Frames
    beat: Frames


@dataclass(frozen=True)
class Bars:
    """The N bars of a piece in order; int64 arrays (N,).

    Attributes:
        number: number of the bar; 0 is the first whole bar, -1 an upbeat before it.
        line: frame of the bar line; negative if the piece begins inside the bar.
        end: frame of the next bar line; beyond the end of the piece if it ends inside the bar.
    """

    number: Frames
    line: Frames
    end: Frames

    def __len__(self) -> int:
        return len(self.line)

    @property
    def count(self) -> int:
        """The number of bars as in a score, which does not count an upbeat."""
        return int(self.number[-1]) + 1 if len(self) else 0

    def whole(self, frames: int) -> Bars:
        """The bars that are completely inside a piece of this length."""
        return self.take(np.flatnonzero((self.line >= 0) & (self.end <= frames)))

    def take(self, which: NDArray[np.int64] | slice) -> Bars:
        """The bars at these indices, in this order."""
        return Bars(self.number[which], self.line[which], self.end[which])


@dataclass(frozen=True)
class Meter:
    """The time signatures of a piece; the first and the last extend beyond it indefinitely.

    Attributes:
        grid: frames per quarter note.
        changes: time signatures by frame, at least one. The first is at frame 0, or earlier if the piece
            begins with an upbeat or bars are not a whole number of frames; see `TimeSignature.opening`.
    """

    grid: int = GRID
    changes: tuple[TimeSignature, ...] = (TimeSignature(),)

    @classmethod
    def of(cls, beats: int = 4, unit: int = 4, *, offset: int = 0, grid: int = GRID) -> Self:
        """A single time signature throughout.

        Args:
            beats: upper number.
            unit: lower number.
            offset: number of frames missing from the first bar, if it is an upbeat.
            grid: frames per quarter note.
        """
        return cls(grid, (TimeSignature(-offset, beats, unit),))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Create a meter from the output of `dataclasses.asdict`."""
        return cls(data["grid"], tuple(TimeSignature(**change) for change in data["changes"]))

    @property
    def offset(self) -> int:
        """The number of frames missing from the first bar, such as 12 for an upbeat of a quarter in 4/4."""
        return int(self.places(np.zeros(1, np.int64)).place[0])

    def places(self, frames: Frames) -> Places:
        """The positions of frames in their bars.

        Args:
            frames: any integers, including frames outside the piece.
        """
        places = self._places_from_first_change(frames)
        return replace(places, bar=places.bar - self._first_whole_bar)

    @cached_property
    def _first_whole_bar(self) -> int:
        """The number of the first whole bar, with bars counted from the first change."""
        first = self._places_from_first_change(np.zeros(1, np.int64))
        return int(first.bar[0]) + int(first.place[0] > 0)

    def _places_from_first_change(self, frames: Frames) -> Places:
        """Like `places`, with bars counted from the first change."""
        starts = np.array([change.frame for change in self.changes], np.int64)
        number = np.maximum(np.searchsorted(starts, frames, side="right") - 1, 0)
        bars = [change.bar(self.grid) for change in self.changes]
        over = np.array([bar.numerator for bar in bars], np.int64)[number]
        under = np.array([bar.denominator for bar in bars], np.int64)[number]
        beats = np.array([self._beat(change) for change in self.changes], np.int64)
        counts = self._counts
        since = frames - starts[number]
        # Bar line k of a section is at k bars, rounded to the nearest frame (half a frame is rounded up).
        # Invert this to get the last bar line at or before the frame; at most the section's last bar.
        inside = np.minimum(-(-(2 * since + 1) * under // (2 * over)) - 1, counts[number] - 1)
        line = nearest_whole(inside * over, under)
        following = np.append(starts[1:], FAR)[number] - starts[number]
        last = inside == counts[number] - 1
        return Places(
            bar=inside + np.append(0, np.cumsum(counts[:-1]))[number],
            place=since - line,
            length=np.where(last, following, nearest_whole((inside + 1) * over, under)) - line,
            beat=beats[number],
        )

    def _beat(self, change: TimeSignature) -> int:
        """Frames in a beat, at least 1."""
        beat = change.beat(self.grid)
        return max(nearest_whole(beat.numerator, beat.denominator), 1)

    @cached_property
    def _counts(self) -> Frames:
        """The number of bars of each time signature, including a last bar that is cut short.

        A change less than a frame after a bar line is on that line, since frames are rounded.
        """
        counts = []
        for change, following in pairwise(self.changes):
            bar = change.bar(self.grid)
            whole, rest = divmod(following.frame - change.frame, bar)
            counts.append(whole if rest < 1 and 2 * rest < bar else whole + 1)
        return np.array([*counts, FAR], np.int64)

    def bar_lines(self, frames: int) -> Frames:
        """The frames in 0..frames - 1 at which a bar begins."""
        return np.flatnonzero(self.places(np.arange(frames, dtype=np.int64)).place == 0)

    def bars(self, frames: int) -> Bars:
        """The bars that contain any of the frames 0..frames - 1."""
        all_frames = np.arange(frames, dtype=np.int64)
        places = self.places(all_frames)
        line = all_frames - places.place
        first = np.flatnonzero(np.diff(line, prepend=FAR))
        return Bars(places.bar[first], line[first], (line + places.length)[first])

    def after(self, first: int, bars: int) -> int:
        """The frame of the `bars`-th bar line after frame `first`; 1 is the next one."""
        longest = max(ceil(change.bar(self.grid)) for change in self.changes)
        bar = self.places(np.arange(first, first + (bars + 1) * longest + 1, dtype=np.int64)).bar
        return first + int(np.argmax(bar >= bar[0] + bars))

    def signatures(self, frames: int) -> tuple[TimeSignature, ...]:
        """The time signatures in effect in the first `frames` frames; at least the one at the start."""
        following = [change.frame for change in self.changes[1:]]
        sections = zip(self.changes, [*following, FAR], strict=True)
        return tuple(change for change, end in sections if end > 0 and change.frame < max(frames, 1))

    def durations(self, frames: int) -> Counter[tuple[int, int]]:
        """How many of the first `frames` frames each time signature (upper, lower) is in effect."""
        durations = Counter[tuple[int, int]]()
        for change, following in zip_longest(self.changes, self.changes[1:]):
            end = min(following.frame, frames) if following else frames
            durations[change.beats, change.unit] += max(end - max(change.frame, 0), 0)
        return +durations

    def cut(self, first: int, last: int | None = None) -> Meter:
        """The meter of the music from frame `first` on, and before frame `last` if that is given."""
        shifted = [replace(change, frame=change.frame - first) for change in self.changes]
        end = float("inf") if last is None else last - first
        later = [change for change in shifted if 0 < change.frame < end]
        before = [change for change in shifted if change.frame <= 0]
        opening = before[-1] if before else shifted[0]
        return Meter(self.grid, (opening.opening(self.grid), *later))

    def then(self, frame: int, following: Meter) -> Meter:
        """Append another meter; the bar in which it begins is cut short.

        Args:
            frame: where the other meter begins, 1 or more.
            following: the other meter, with frames relative to `frame`; its upbeat becomes a short bar.
        """
        before = [change for change in self.changes if change.frame < frame]
        first, *others = following.changes
        opening = [replace(first, frame=0)]
        if following.offset:
            places = following.places(np.array([0]))
            line = int(places.length[0] - places.place[0])
            if all(change.frame > line for change in others):
                opening.append(replace(first, frame=line))
        after = [replace(change, frame=change.frame + frame) for change in (*opening, *others)]
        return Meter(self.grid, (*before, *after))

    def __str__(self) -> str:
        return ", ".join(dict.fromkeys(str(change) for change in self.changes))


COMMON_TIME = Meter()
"""4/4 from the first frame, on a grid of sixteenths."""
