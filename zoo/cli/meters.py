"""The time signatures of one piece in words, in the order in which they come."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoo.music.meter import Meter

SHOWN_CHANGES = 3
"""Maximum number of time signature changes that are listed; further ones are only counted."""


def in_order(meter: Meter, frames: int) -> str:
    """The time signatures in the order in which they come: `4/4, then 3/4 from bar 5`.

    Bars are numbered as in scores, where an upbeat is not counted; an upbeat is named as a part of a whole
    note. After three changes the others are counted.

    Args:
        meter: of the piece.
        frames: length of the piece; what comes after it is not named.
    """
    first, *changes = _changes(meter, frames)
    parts = [first[0] + _upbeat(meter)]
    parts += [f"then {sign} from bar {bar:,}" for sign, bar in changes[:SHOWN_CHANGES]]
    more = len(changes) - SHOWN_CHANGES
    if more > 0:
        parts.append(f"and {more:,} more change{'' if more == 1 else 's'}")
    return ", ".join(parts)


def _changes(meter: Meter, frames: int) -> Iterator[tuple[str, int]]:
    """Each time signature that differs from the one before, and the number of the bar that begins there."""
    signatures = meter.signatures(frames)
    bars = meter.places(np.array([max(signature.frame, 0) for signature in signatures])).bar + 1
    named = zip(map(str, signatures), bars.tolist(), strict=True)
    return (next(same) for _, same in groupby(named, key=lambda change: change[0]))


def _upbeat(meter: Meter) -> str:
    """The music before the first bar line."""
    if not meter.offset:
        return ""
    opening = meter.places(np.array([0]))
    length = int(opening.length[0] - opening.place[0])
    return f", after an upbeat of {Fraction(length, 4 * meter.grid)}"
