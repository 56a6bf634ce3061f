"""Linear scales: from numbers to pixels, and the ticks of an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LEAST = 1e-12
"""Numbers that differ by less are drawn as equal; ticks between subnormal numbers cannot be computed."""


@dataclass(frozen=True)
class Scale:
    """A linear map from numbers to positions in pixels.

    Attributes:
        low: the number at `start`.
        high: the number at `end`; greater than `low`.
        start: position of `low`.
        end: position of `high`; less than `start` on a vertical axis, since pixels count downwards.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, numbers: Iterable[float], start: float, end: float) -> Scale:
        """The smallest scale that contains all numbers; from 0 to 1 if there are none."""
        values = [*numbers] or [0.0, 1.0]
        low, high = min(values), max(values)
        if high - low > LEAST:
            return cls(low, high, start, end)
        return cls(low, low + (abs(high) if abs(high) > LEAST else 1.0), start, end)

    def __call__(self, number: float) -> float:
        """The position of a number, rounded to a tenth of a pixel."""
        return round(self.start + (number - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self, count: int = 5) -> Iterator[tuple[float, str]]:
        """About `count` round numbers on the scale, as (position, text)."""
        min_step = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(min_step))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= min_step)
        digits = max(-math.floor(math.log10(step)), 0)
        for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1):
            yield self(number * step), f"{number * step:.{digits}f}"
