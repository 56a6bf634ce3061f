"""Sentences that the stored results choose between, from the data file beside a document.

    <!-- answer: NAME -->     for each music the sentence that goes with the difference, and the difference
    <!-- summary: NAME -->    the sentence alone, chosen by what is clear among all differences of the page

The data file of docs/answers.md is docs/answers.toml, which explains its entries.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comparisons import AGAINST, CLEAR, Comparison, Page, name_music, name_row
from regions import RegionError
from zoo.bench.verdict import BEST, Verdict

Kind = Literal["answer", "summary"]
Pair = tuple[str, str]


class Question(BaseModel):
    """Two rows, and a sentence for each outcome of their comparison.

    Attributes:
        study: of both rows, or a study for each.
        rows: the first and the second row.
        data: the music; all of the study unless given.
        of: the term of the score that is compared; all unless given.
        lower: the sentence if the first row has clearly fewer nats.
        higher: if it has clearly more.
        level: if there is no clear difference.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: str | Pair
    rows: Pair
    data: tuple[str, ...] = ()
    of: Literal["", "codes", "keys", "residual", "velocity"] = ""
    lower: str
    higher: str
    level: str

    @property
    def comparison(self) -> Comparison:
        """The comparison of the two rows."""
        files = (self.study,) if isinstance(self.study, str) else self.study
        return Comparison(files, self.data, self.of, (self.rows,))

    def sentence(self, outcome: str) -> str:
        """The sentence for an outcome."""
        return {"lower": self.lower, "higher": self.higher, "level": self.level}[outcome]


class Questions(BaseModel):
    """The questions of a document by kind and name."""

    model_config = ConfigDict(extra="forbid")

    answer: dict[str, Question] = Field(default_factory=dict)
    summary: dict[str, Question] = Field(default_factory=dict)

    @classmethod
    def beside(cls, document: Path) -> Self:
        """Those in the data file of a document; none if there is no such file.

        Raises:
            RegionError: the file is invalid.
        """
        file = document.with_suffix(".toml")
        if not file.exists():
            return cls()
        try:
            return cls.model_validate(tomllib.loads(file.read_text("utf-8")))
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise RegionError(f"{file}: {error}") from error

    def find(self, kind: Kind, name: str) -> Question:
        """A question by its name."""
        known = self.answer if kind == "answer" else self.summary
        if name not in known:
            raise RegionError(f"there is no [{kind}.{name}] in the data file; there are {', '.join(known)}")
        return known[name]


def answer(question: Question, page: Page, root: Path) -> str:
    """For each music the sentence that goes with what the numbers say, and the numbers."""
    lines = []
    for verdict in question.comparison.verdicts(question.rows, root):
        if verdict.outcome == "waiting":
            lines.append(f"- {name_music(verdict.table)}: {verdict.words}.")
            continue
        words = [
            f"**{question.sentence(verdict.outcome)}**",
            _difference(verdict, question.rows),
            *_caveats(verdict, page),
            *_missing(verdict, question.rows),
        ]
        lines.append(f"- {name_music(verdict.table)}: {' '.join(words)}")
    return "\n".join(lines)


def summary(question: Question, page: Page, root: Path) -> str:
    """For each music the sentence that holds when all differences of the page are looked at together."""
    lines = []
    for verdict in question.comparison.verdicts(question.rows, root):
        if verdict.outcome == "waiting":
            words = f"{verdict.words}."
        else:
            words = question.sentence(verdict.outcome if verdict.key in page.clear_together else "level")
        lines.append(f"- {name_music(verdict.table)}: {words}")
    return "\n".join(lines)


def _difference(verdict: Verdict, rows: Pair) -> str:
    """The difference itself: "`lags` against `none`: clearly lower by 0.129 (0.101 to 0.157)"."""
    names = AGAINST.join(name_row(name, [verdict], side) for side, name in enumerate(rows))
    return f"{names}: {verdict.words} {verdict.unit}; {verdict.basis}."


def _caveats(verdict: Verdict, page: Page) -> Iterator[str]:
    """The tests that a clear difference does not pass."""
    if verdict.outcome in CLEAR and verdict.key not in page.clear_together:
        count = len(page.stated)
        yield f"Clear on its own, but not after correction for all {count} differences on this page."
    rest = verdict.without_selection_seeds
    if verdict.depends_on_selection_seeds and rest is not None and rest.interval is not None:
        seeds = "seed that" if verdict.selection_seeds == 1 else f"{verdict.selection_seeds} seeds that"
        number = "{:+.3f} ({:+.3f} to {:+.3f})".format(rest.value, *rest.interval)
        yield f"Not clear without the {seeds} chose the learning rates: {number}."


def _missing(verdict: Verdict, rows: Pair) -> Iterator[str]:
    """The number of rows that may still become the best."""
    if any(row.startswith(BEST) for row in rows) and (missing := len(verdict.table.missing)):
        yield f"The best so far: {missing} rows of the table wait for results."
