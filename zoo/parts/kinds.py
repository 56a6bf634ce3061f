"""The kinds of scores, and the marks with which their numbers are printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Kind = Literal["exact", "bound", "estimate"]
"""The kind of a log-probability: the true value, in expectation a lower bound of it, or an estimate."""

FigureKind = Literal[Kind, "estimated bound"]
"""The meaning of a number of nats.

`exact`: the true number. `bound`: an upper bound on it. `estimate`: known up to a standard error.
`estimated bound`: an upper bound known up to a standard error, such as the sum of a bound and an estimate.
"""

MARKS: dict[FigureKind, str] = {"exact": "", "bound": "≤", "estimate": "~", "estimated bound": "≲"}


def combined_kind(kinds: Iterable[FigureKind]) -> FigureKind:
    """The kind of a sum of terms of these kinds."""
    distinct = set(kinds)
    if "estimated bound" in distinct or {"bound", "estimate"} <= distinct:
        return "estimated bound"
    if "bound" in distinct:
        return "bound"
    return "estimate" if "estimate" in distinct else "exact"


def marked(nats: float, kind: FigureKind | None) -> str:
    """A number of nats with the mark of its kind; `?` if the kind is unknown."""
    return f"{'?' if kind is None else MARKS[kind]} {nats:.3f}".strip()
