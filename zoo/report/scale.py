"""Scales: where numbers lie in a drawing, and which of them its axis names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A line from one number to another, drawn from one place to another, in pixels.

    Attributes:
        low: the number at `start`.
        high: the number at `end`; above `low`.
        start: where the line begins.
        end: where it ends; below `start` where the line points upwards.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, numbers: Iterable[float], start: float, end: float) -> Scale:
        """The scale that just holds some numbers; one that holds 0 to 1 where there are none."""
        found = [*numbers] or [0.0, 1.0]
        low, high = min(found), max(found)
        room = (high - low) or abs(high) or 1.0
        return cls(low, high if high > low else low + room, start, end)

    def __call__(self, number: float) -> float:
        """Where a number lies, to a tenth of a pixel."""
        return round(self.start + (number - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self, about: int = 5) -> Iterator[tuple[float, str]]:
        """Round numbers on the scale, about so many, each with its place and as text."""
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * round_one for round_one in (1, 2, 5, 10) if power * round_one >= rough)
        digits = max(-math.floor(math.log10(step)), 0)
        for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1):
            yield self(number * step), f"{number * step:.{digits}f}"
