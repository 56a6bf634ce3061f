"""Claims: the score that a submission to the leaderboard states, and its comparison with a new score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zoo.data import Corpus
from zoo.errors import ClaimError, Problem
from zoo.limits import read_bytes
from zoo.measure.evaluation import Evaluation
from zoo.measure.figure import Figure
from zoo.model.format import check_format
from zoo.parts.kinds import FigureKind, marked

FILE = "claim.json"
FORMAT = 1
TOLERANCE = 0.0005
"""Largest difference in nats per frame at which two numbers agree: half of the last digit that is printed."""
DIGITS = 6
"""Number of decimals that are stored."""
Nats = Annotated[float, Field(ge=-1e6, le=1e6)]
"""A number of nats per frame. Larger ones are never scored, and would be printed with hundreds of digits."""
SPLIT: Literal["test"] = "test"
"""The pieces that submissions are scored on."""


class Claim(BaseModel):
    """A score as the author of a submission states it.

    Attributes:
        format: version of the file.
        data: name of the music.
        digest: digest of the music.
        split: the pieces that were scored.
        pieces: number of scored pieces.
        frames: number of scored frames.
        seed: seed of bounds and estimates.
        nats: nats per frame.
        kind: kind of the number.
        error: standard error of an estimate; None for other numbers.
        interval: 95 % interval; None if all pieces are of one family.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format: int = FORMAT
    data: str
    digest: str
    split: Literal["test"] = SPLIT
    pieces: int
    frames: int
    seed: int
    nats: Nats
    kind: FigureKind
    error: Nats | None
    interval: tuple[Nats, Nats] | None

    @classmethod
    def of(cls, evaluation: Evaluation, corpus: Corpus, data: str, seed: int) -> Self:
        """The claim that agrees with an evaluation of the test pieces of a corpus."""
        figure = evaluation.score()
        return cls(
            data=data,
            digest=corpus.digest,
            pieces=figure.pieces,
            frames=figure.count,
            seed=seed,
            nats=round(figure.value, DIGITS),
            kind=figure.kind,
            error=None if figure.error is None else round(figure.error, DIGITS),
            interval=figure.interval
            and (round(figure.interval[0], DIGITS), round(figure.interval[1], DIGITS)),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a claim.

        Raises:
            ClaimError: it is missing or is not a claim; holds all problems.
            BundleError: it is from a newer version.
        """
        hint = "write it with `zoo bench submit`"
        try:
            content = json.loads(read_bytes(path, "claim"))
        except OSError as error:
            raise ClaimError(Problem(f"cannot be read: {error.strerror}", str(path), hint)) from error
        except (ValueError, RecursionError) as error:
            raise ClaimError(Problem("is not JSON", str(path), hint)) from error
        if not isinstance(content, dict):
            raise ClaimError(Problem("is not a JSON object", str(path), hint))
        check_format(content.get("format"), FORMAT, str(path))
        try:
            return cls.model_validate_json(json.dumps(content))
        except ValidationError as error:
            raise ClaimError(*_invalid(error, path)) from error

    def to_json(self) -> dict[str, Any]:
        """The claim as it is stored."""
        return self.model_dump(mode="json")

    def contradictions(self, figure: Figure) -> Iterator[str]:
        """How a new score of the same music contradicts the claim; empty if it does not."""
        if self.kind != figure.kind:
            yield f"the claimed kind is {self.kind}; scored again, the number is {_described(figure.kind)}"
        if not _agree(self.nats, figure.value):
            claimed, scored = marked(self.nats, self.kind), marked(figure.value, figure.kind)
            yield f"it claims {claimed} nats per frame; scored again, it has {scored}"
        if not _agree(self.interval, figure.interval):
            claimed, scored = _ends(self.interval), _ends(figure.interval)
            yield f"the claimed interval is {claimed}; scored again, it is {scored}"
        if not _agree(self.error, figure.error):
            claimed, scored = _number(self.error), _number(figure.error)
            yield f"the claimed standard error is {claimed}; scored again, it is {scored}"
        if (self.pieces, self.frames) != (figure.pieces, figure.count):
            claimed, scored = _size(self.pieces, self.frames), _size(figure.pieces, figure.count)
            yield f"it claims {claimed}; the test pieces of this music are {scored}"


Numbers = float | tuple[float, float] | None


def _agree(claimed: Numbers, scored: Numbers) -> bool:
    """Whether two numbers, or the ends of two intervals, agree within the tolerance."""
    if claimed is None or scored is None:
        return claimed is scored
    claimed_numbers, scored_numbers = (
        number if isinstance(number, tuple) else (number,) for number in (claimed, scored)
    )
    return all(abs(a - b) <= TOLERANCE for a, b in zip(claimed_numbers, scored_numbers, strict=True))


def _described(kind: FigureKind) -> str:
    return "exact" if kind == "exact" else f"{'a' if kind == 'bound' else 'an'} {kind}"


def _ends(interval: tuple[float, float] | None) -> str:
    return "missing" if interval is None else "{:.3f} … {:.3f}".format(*interval)


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.3f}"


def _size(pieces: int, frames: int) -> str:
    return f"{pieces:,} pieces with {frames:,} frames in all"


def _invalid(error: ValidationError, path: Path) -> Iterator[Problem]:
    """One problem for each invalid field."""
    for detail in error.errors():
        field = ".".join(map(str, detail["loc"]))
        yield Problem(f"{field}: {detail['msg'].lower()}", str(path), "write it with `zoo bench submit`")
