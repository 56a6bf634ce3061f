"""Evaluations: nats per piece, and paired differences between two evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from zoo.measure.figure import Figure, mean
from zoo.measure.interval import Floats, Interval, estimate_mean
from zoo.parts.kinds import FigureKind, combined_kind

DIGITS = 4
"""Number of decimals that are stored; the nats of a piece are in the hundreds."""
SCORE = ("codes", "keys", "residual")
"""The terms of the score; `velocity` is reported separately, per struck note."""


@dataclass(frozen=True)
class Term:
    """One term of the score.

    Attributes:
        nats: (N,), negative log-probability of each piece.
        kind: whether the nats are exact, a bound or an estimate.
        variance: (N,), sampling variance of the nats; None if they were not estimated by sampling.
    """

    nats: Floats
    kind: FigureKind = "exact"
    variance: Floats | None = None


@dataclass(frozen=True, repr=False)
class Evaluation:
    """How well a model predicts pieces of music.

    Attributes:
        titles: titles of the N pieces, in the order of the corpus.
        digests: digests of the pieces, by which two evaluations are paired.
        frames: (N,), length of each piece.
        struck: (N,), number of struck notes in each piece; None if velocities were not scored.
        terms: `codes` and `keys`; also `residual` if the music has onsets, and `velocity` if it has
            velocities.
        remarks: (N,), number of frames with a remark of a part, such as `escaped`.
        families: (N,), number of the family of each piece, the unit of all intervals; if empty, each piece
            is a family of its own.
    """

    titles: tuple[str, ...]
    digests: tuple[str, ...]
    frames: Floats
    terms: Mapping[str, Term]
    struck: Floats | None = None
    remarks: Mapping[str, Floats] = field(default_factory=dict)
    families: tuple[int, ...] = ()

    def __repr__(self) -> str:
        lines = [f"{name:<10} {figure}" for name, figure in self._figures()]
        pieces = "1 piece" if len(self.titles) == 1 else f"{len(self.titles)} pieces"
        head = f"Evaluation of {pieces}, {int(self.frames.sum()):,} frames; nats per frame ± 95 %"
        return "\n".join([head, *lines])

    def _repr_html_(self) -> str:
        """A table of the terms in a notebook."""
        rows = "".join(f"<tr><th>{name}</th><td>{figure}</td></tr>" for name, figure in self._figures())
        head, *_ = repr(self).splitlines()
        return f"<table><caption>{head}</caption>{rows}</table>"

    def _figures(self) -> Iterator[tuple[str, Figure]]:
        """The score, its terms, and the velocity."""
        yield "score", self.score()
        yield from ((name, self.figure(name)) for name in self.score_terms)
        if "velocity" in self.terms:
            yield "velocity per struck note", self.figure("velocity")

    def to_json(self, *names: str) -> dict[str, Any]:
        """The evaluation, or only the given terms, as JSON; the inverse of `from_json`."""
        return {
            "pieces": list(self.digests),
            "frames": _integers(self.frames),
            "struck": None if self.struck is None else _integers(self.struck),
            "terms": {
                name: {
                    "kind": term.kind,
                    "nats": _rounded(term.nats),
                    "variance": None if term.variance is None else _rounded(term.variance),
                }
                for name, term in self.terms.items()
                if not names or name in names
            },
            "remarks": {name: _integers(frames) for name, frames in self.remarks.items()},
            "families": list(self.families),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; titles are not stored, so digests take their place."""
        digests = tuple(content["pieces"])
        return cls(
            titles=digests,
            digests=digests,
            frames=_floats(content["frames"]),
            struck=None if content["struck"] is None else _floats(content["struck"]),
            terms={
                name: Term(
                    _floats(term["nats"]),
                    term["kind"],
                    None if term["variance"] is None else _floats(term["variance"]),
                )
                for name, term in content["terms"].items()
            },
            remarks={name: _floats(frames) for name, frames in content["remarks"].items()},
            families=tuple(content.get("families", ())),
        )

    @property
    def is_full(self) -> bool:
        """Whether the score has a residual, which makes it comparable across encoders."""
        return "residual" in self.terms

    @property
    def score_terms(self) -> tuple[str, ...]:
        """The terms of the score that were evaluated on this music."""
        return tuple(name for name in SCORE if name in self.terms)

    def score(self) -> Figure:
        """The score, by which models are ranked: nats per frame, summed over `score_terms`."""
        return self.figure(*self.score_terms)

    def figure(self, *names: str) -> Figure:
        """The sum of some terms in nats per frame; for `velocity` alone, in nats per struck note."""
        total = self.total(*names)
        return mean(total.nats, self.weight(*names), total.kind, total.variance, self.families)

    def share(self, remark: str) -> Figure | None:
        """The fraction of frames with a remark; None if no part makes such remarks."""
        if remark not in self.remarks:
            return None
        return mean(self.remarks[remark], self.frames, families=self.families)

    def total(self, *names: str) -> Term:
        """The sum of some terms, piece by piece."""
        terms = [self.terms[name] for name in names]
        variances = [term.variance for term in terms if term.variance is not None]
        return Term(
            nats=np.sum([term.nats for term in terms], axis=0),
            kind=combined_kind(term.kind for term in terms),
            variance=np.sum(variances, axis=0) if variances else None,
        )

    def weight(self, *names: str) -> Floats:
        """(N,) the weights of the pieces: frames; for `velocity` alone, struck notes."""
        if names != ("velocity",):
            return self.frames
        assert self.struck is not None
        return self.struck


def _rounded(numbers: Floats) -> list[float]:
    return [round(float(number), DIGITS) for number in numbers]


def _integers(numbers: Floats) -> list[int]:
    return [int(number) for number in numbers]


def _floats(numbers: Sequence[float]) -> Floats:
    return np.array(numbers, np.float64)


ROUNDING = 1e-6
"""Differences in nats below this are those of rounding."""
BOUNDS = " (bounds)"
"""Suffix of the verdict on two bounds."""


@dataclass(frozen=True)
class Difference:
    """The difference between two models in nats, paired by piece.

    Attributes:
        value: nats per frame; negative if the first model is better.
        interval: 95 % interval over families of pieces; None if all pieces are of one family.
        kinds: kinds of the first and the second number.
        pieces: number of pieces.
        p_value: two-sided p-value of the difference, not corrected for multiple comparisons; None if all
            pieces are of one family.
    """

    value: float
    interval: Interval | None
    kinds: tuple[FigureKind, FigureKind]
    pieces: int
    p_value: float | None = None

    @property
    def mark(self) -> str:
        """The sign to print before the value, such as `≤`.

        An upper bound on the first number bounds the difference from above, one on the second from below. If
        both are bounds, the difference is bounded on neither side.
        """
        bounds = tuple("bound" in kind for kind in self.kinds)
        is_estimated = any("estimate" in kind for kind in self.kinds)
        if bounds == (True, False):
            return "≲" if is_estimated else "≤"
        if bounds == (False, True):
            return "≳" if is_estimated else "≥"
        return "~" if is_estimated or all(bounds) else ""

    @property
    def is_left_open(self) -> bool:
        """Whether the interval excludes 0 and the order of the true numbers is open, as one is a bound."""
        return self._excludes_zero and not self.is_clear

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0, on a side on which the bounds are conclusive.

        A bound above an exact number proves nothing, since the true number may still be below it.
        """
        if not self._excludes_zero:
            return False
        if self.mark in ("≤", "≲"):
            # The true difference is at most this value: only a negative one shows that the first is better.
            return self.value < 0
        return self.value > 0 or self.mark not in ("≥", "≳")

    @property
    def _excludes_zero(self) -> bool:
        """Whether the interval excludes 0, and the difference is not that of rounding."""
        if self.interval is None or abs(self.value) < ROUNDING:
            return False
        return not self.interval[0] <= 0 <= self.interval[1]

    @property
    def is_of_bounds(self) -> bool:
        """Whether both numbers are bounds; the verdict is then about the bounds, not the true numbers."""
        return all("bound" in kind for kind in self.kinds)

    @property
    def verdict(self) -> str:
        """One of "lower", "higher" and "not clear"; for two bounds "lower (bounds)" or "higher (bounds)"."""
        if not self.is_clear:
            return "not clear"
        return ("lower" if self.value < 0 else "higher") + (BOUNDS if self.is_of_bounds else "")


def compare(first: Evaluation, second: Evaluation, *names: str) -> Difference:
    """The paired difference of two evaluations, of the score or of the given terms.

    Raises:
        ValueError: the evaluations are of different pieces, or only one of them has a residual.
    """
    if first.digests != second.digests:
        raise ValueError("only evaluations of the same pieces can be compared")
    if not names and first.is_full != second.is_full:
        raise ValueError("a score with a residual cannot be compared with one without")
    total, other_total = (model.total(*(names or model.score_terms)) for model in (first, second))
    return difference(
        (total.nats - other_total.nats)[None],
        first.weight(*names),
        (total.kind, other_total.kind),
        first.families or second.families,
    )


def difference(
    nats: Floats, weight: Floats, kinds: tuple[FigureKind, FigureKind], families: Sequence[int] = ()
) -> Difference:
    """The difference of two models from differences in nats.

    Args:
        nats: (S, N), first minus second model, for each seed and piece.
        weight: (N,), weight of each piece, such as its frames.
        kinds: kinds of the first and the second model's nats.
        families: (N,), number of the family of each piece; if empty, each piece is its own.
    """
    mean = estimate_mean(nats, weight, families)
    return Difference(
        value=float(nats.mean(0).sum()) / max(float(weight.sum()), 1.0),
        interval=mean.interval if mean else None,
        kinds=kinds,
        pieces=len(weight),
        p_value=mean.p_value if mean else None,
    )
