"""Evaluations: the nats of each piece, and paired differences between two evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from zoo.measure.figure import Figure, Kind, combined_kind, mean
from zoo.measure.interval import Floats, Interval, spread

DIGITS = 4
"""Decimals of a piece's nats that are stored; a piece has hundreds of nats."""
SCORE = ("codes", "keys", "residual")
"""The terms that together are a score; `velocity` stands for itself, per struck note."""


@dataclass(frozen=True)
class Term:
    """One share of the number.

    Attributes:
        nats: (N,), negative log-probability of each piece.
        kind: what these numbers promise.
        variance: (N,), sampling variance of each, where they were estimated by sampling.
    """

    nats: Floats
    kind: Kind = "exact"
    variance: Floats | None = None


@dataclass(frozen=True, repr=False)
class Evaluation:
    """How well a model predicts pieces of music.

    Attributes:
        titles: of the N pieces, in the order of the corpus.
        digests: of the pieces' content; by these two evaluations are paired.
        frames: (N,), length of each piece.
        struck: (N,), notes struck in each piece; None where their loudness was not scored.
        terms: `codes` and `keys`, and `residual` and `velocity` where the music has what they are about.
        remarks: (N,) frames that a part had a remark on, such as `escaped`.
        families: (N,) number of each piece's family, over which intervals are formed; where there are none,
            each piece is its own.
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
        """The score, what it is the sum of, and the velocities by themselves."""
        yield "score", self.score()
        yield from ((name, self.figure(name)) for name in self.score_terms)
        if "velocity" in self.terms:
            yield "velocity per struck note", self.figure("velocity")

    def to_json(self, *names: str) -> dict[str, Any]:
        """The evaluation, or only these of its terms, as it is stored; `from_json` reads it."""
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
        """The evaluation that `to_json` gave; titles are not stored, the digests take their place."""
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
        """Whether the score is restored in full, so that it compares across encodings."""
        return "residual" in self.terms

    @property
    def score_terms(self) -> tuple[str, ...]:
        """The terms of the score that this music has."""
        return tuple(name for name in SCORE if name in self.terms)

    def score(self) -> Figure:
        """The number that ranks: nats per frame of the score, as full as the music knows it."""
        return self.figure(*self.score_terms)

    def figure(self, *names: str) -> Figure:
        """The sum of some terms; nats per frame, of `velocity` nats per struck note."""
        total = self.total(*names)
        return mean(total.nats, self.weight(*names), total.kind, total.variance, self.families)

    def share(self, remark: str) -> Figure | None:
        """The share of frames with a remark; None where no part makes it."""
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
        """(N,) what some terms are a mean over: frames, of `velocity` alone struck notes."""
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


BOUNDS = " (bounds)"
"""What a verdict on two bounds adds."""


@dataclass(frozen=True)
class Difference:
    """How much lower or higher one model's nats are than another's, on the same pieces.

    Attributes:
        value: nats per frame, below 0 where the first is better.
        interval: 95 %, paired, had other pieces been drawn; None where all are of one family.
        kinds: of the first and of the second.
        pieces: how many.
        p_value: how often rows that do not differ come out so far apart, had this one difference been looked
            at; None where all pieces are of one family.
    """

    value: float
    interval: Interval | None
    kinds: tuple[Kind, Kind]
    pieces: int
    p_value: float | None = None

    @property
    def mark(self) -> str:
        """What the value promises: a bound on the first bounds it from above, on the second from below."""
        loose = tuple("bound" in kind for kind in self.kinds)
        rough = any("estimate" in kind for kind in self.kinds)
        if loose == (True, False):
            return "≲" if rough else "≤"
        if loose == (False, True):
            return "≳" if rough else "≥"
        return "~" if rough or all(loose) else ""

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0, on a side that the kinds can speak for.

        A bound above an exact number proves nothing: the true one may still be below it.
        """
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return False
        if self.mark in ("≤", "≲"):
            return self.value < 0
        return self.value > 0 or self.mark not in ("≥", "≳")

    @property
    def is_of_bounds(self) -> bool:
        """Whether both are bounds: what is told apart are then the bounds, not the true numbers."""
        return all("bound" in kind for kind in self.kinds)

    @property
    def verdict(self) -> str:
        """In words: "lower", "higher", of two bounds "lower (bounds)", or "not clear"."""
        if not self.is_clear:
            return "not clear"
        return ("lower" if self.value < 0 else "higher") + (BOUNDS if self.is_of_bounds else "")


def compare(first: Evaluation, second: Evaluation, *names: str) -> Difference:
    """The paired difference of two evaluations, of the score or of the terms named.

    Raises:
        ValueError: they are not of the same pieces, or not of the same share of the score.
    """
    if first.digests != second.digests:
        raise ValueError("only evaluations of the same pieces can be compared")
    if not names and first.is_full != second.is_full:
        raise ValueError("a full score does not compare with one that leaves something out")
    mine, other = (model.total(*(names or model.score_terms)) for model in (first, second))
    kinds = (mine.kind, other.kind)
    return difference(
        (mine.nats - other.nats)[None], first.weight(*names), kinds, first.families or second.families
    )


def difference(
    apart: Floats, weight: Floats, kinds: tuple[Kind, Kind], families: Sequence[int] = ()
) -> Difference:
    """From how far apart two models are: (S, N) nats of each piece from each seed, over weights (N,)."""
    found = spread(apart, weight, families)
    return Difference(
        value=float(apart.mean(0).sum()) / max(float(weight.sum()), 1.0),
        interval=found.interval if found else None,
        kinds=kinds,
        pieces=len(weight),
        p_value=found.p_value if found else None,
    )
