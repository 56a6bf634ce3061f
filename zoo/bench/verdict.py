"""Verdicts: two rows of a study compared, in words that follow from the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

from zoo.bench.grid import Combination
from zoo.bench.rows import StudyRow, StudyTable
from zoo.counts import count
from zoo.errors import Problem, UsageError
from zoo.measure.evaluation import Difference
from zoo.parts import Slot

Outcome = Literal["lower", "higher", "level", "waiting"]
LOUDNESS = ("velocity",)
BEST = "best "


@dataclass(frozen=True)
class Verdict:
    """A comparison of two rows on one dataset.

    Attributes:
        table: the table of the first row.
        second_table: the table of the second row; the same one unless two studies are compared.
        first: the row in question; None while it lacks results.
        second: the row it is compared with; None while it lacks results.
        terms: the terms of the score that are compared, or `velocity`.
        unit: unit of the difference, such as "nats per frame".
    """

    table: StudyTable
    second_table: StudyTable
    first: StudyRow | None
    second: StudyRow | None
    terms: tuple[str, ...]
    unit: str

    @cached_property
    def difference(self) -> Difference | None:
        """First minus second, paired by piece and seed; None if a row is missing or the music differs."""
        return self._difference_without(seeds=0)

    @cached_property
    def without_selection_seeds(self) -> Difference | None:
        """The difference without the seeds that chose the learning rates; None if fewer than two are left.

        A learning rate is chosen because it does best on some seeds, so these seeds flatter it.
        """
        excluded = self.selection_seeds
        return self._difference_without(excluded) if excluded and self.seeds - excluded > 1 else None

    def _difference_without(self, seeds: int) -> Difference | None:
        """The difference without the first `seeds` seeds."""
        if self.first is None or self.second is None or self.table.reading != self.second_table.reading:
            return None
        return self.first.without(seeds).minus(self.second.without(seeds), *self.terms)

    @property
    def selection_seeds(self) -> int:
        """Number of seeds that chose the learning rates of either row; 0 if there was no choice."""
        return max((row.selection_seeds for row in (self.first, self.second) if row), default=0)

    @property
    def seeds(self) -> int:
        """Number of seeds from which each part was trained."""
        return self.table.study.settings.seeds

    @property
    def depends_on_selection_seeds(self) -> bool:
        """Whether the difference is clear, but not without the seeds that chose the learning rates."""
        rest = self.without_selection_seeds
        return self.outcome in ("lower", "higher") and rest is not None and not rest.is_clear

    @property
    def outcome(self) -> Outcome:
        """Whether the first row is clearly lower, clearly higher or neither (`level`), or lacks results."""
        if self.difference is None:
            return "waiting"
        if not self.difference.is_clear:
            return "level"
        return "lower" if self.difference.value < 0 else "higher"

    @property
    def p_value(self) -> float | None:
        """The probability of a difference this large between equal rows; None if it cannot be estimated."""
        return None if self.difference is None else self.difference.p_value

    @property
    def words(self) -> str:
        """The difference in words, such as "clearly lower by 0.129 (0.101 to 0.157)"."""
        if self.difference is not None:
            return in_words(self.difference)
        if self.first and self.second:
            return "not comparable, the studies are of different readings of the music"
        return "no result yet"

    @property
    def basis(self) -> str:
        """The sample sizes: "n = 37 pieces, 5 seeds"."""
        pieces = 0 if self.difference is None else self.difference.pieces
        return f"n = {count(pieces, 'piece')}, {count(self.seeds, 'seed')}"

    @property
    def key(self) -> tuple[str, ...]:
        """A key that is unique to the comparison, however its rows were named in the request."""
        studies = str(self.table.study.path), str(self.second_table.study.path)
        return (*studies, self.table.data, *self.names, *self.terms)

    @property
    def names(self) -> tuple[str, str]:
        """The labels of the two rows in their tables; empty for a row that lacks results."""
        return _label(self.table, self.first, self.terms), _label(self.second_table, self.second, self.terms)


def verdict(
    table: StudyTable, first: str, second: str, term: str = "", second_table: StudyTable | None = None
) -> Verdict:
    """Compare two rows of a table, or of the tables of two studies.

    Args:
        table: the table of a study on one dataset.
        first: name of a row: its parts as the study writes them, in the slots in which rows differ, such as
            `onset lags`; slots may be omitted if the name stays unique. A floor has its own name. `best
            onset` is the row with this part that has the lowest validation nats, a choice that does not
            depend on the pieces that are scored.
        second: name of the row it is compared with.
        term: one term of the score, or `velocity`; by default the whole score.
        second_table: table of the second row, if it belongs to another study on the same dataset.

    Raises:
        UsageError: no row or more than one has this name, the best of rows with several encoders is
            requested, or the two studies differ in seeds or split.
    """
    second_table = second_table or table
    studies = table.study, second_table.study
    if len({(study.settings.seeds, study.settings.split) for study in studies}) > 1:
        what = "these studies differ in seeds or split, so their rows cannot be paired"
        where = " and ".join(str(study.path) for study in studies)
        raise UsageError(Problem(what, where, "give both the same seeds and split"))
    terms = (term,) if term else table.terms
    rows = _row(table, first, terms), _row(second_table, second, terms)
    unit = "nats per struck note" if terms == LOUDNESS else "nats per frame"
    return Verdict(table, second_table, *rows, terms, unit)


def _label(table: StudyTable, row: StudyRow | None, terms: Sequence[str]) -> str:
    return row.label_for(_slots(table, terms)) if row else ""


def _slots(table: StudyTable, terms: Sequence[str]) -> tuple[Slot, ...]:
    """The slots that distinguish the rows."""
    return table.study.loud_slots if terms == LOUDNESS else table.study.slots


def _row(table: StudyTable, name: str, terms: tuple[str, ...]) -> StudyRow | None:
    """The row with a name; None if it lacks results."""
    slots, rows = _slots(table, terms), table.loudness if terms == LOUDNESS else table.rows
    if name.startswith(BEST):
        candidates = _with_part(table, slots, name.removeprefix(BEST))
        if len({candidate.labels["encoder"] for candidate in candidates}) > 1:
            # The residual, which differs between encoders, is not part of the validation nats.
            what = "rows with different encoders cannot be ranked by validation, which omits the residual"
            raise UsageError(Problem(what, name, "name the rows"))
        if candidates:
            labels = {candidate.label_for(slots) for candidate in candidates}
            validated = [row for row in rows if row.label_for(slots) in labels and row.validation is not None]
            return min(validated, key=lambda row: row.validation or 0.0, default=None)
    if floor := next((row for row in rows if row.floor == name), None):
        return floor
    every = table.study.combinations
    matches = {row.label_for(slots) for row in every if _matches(name, row.labels, slots)}
    if rows and len(matches) != 1:
        what = "more than one row has this name" if matches else "the study has no such row"
        labels = matches or {row.label_for(slots) for row in every} | {row.floor for row in rows} - {""}
        raise UsageError(Problem(what, name, f"the rows are {', '.join(sorted(labels))}"))
    return next((row for row in rows if row.label_for(slots) in matches), None)


def _with_part(table: StudyTable, slots: Sequence[Slot], part: str) -> list[Combination]:
    """The combinations that have a part in one of the given slots."""
    return [row for row in table.study.combinations if part in [row.labels[slot] for slot in slots]]


def _matches(name: str, labels: Mapping[Slot, str], slots: Sequence[Slot]) -> bool:
    """Whether a name consists of a row's labels in some of the slots, in their order."""
    return any(
        " ".join(labels[slot] for slot in named) == name
        for count in range(1, len(slots) + 1)
        for named in combinations(slots, count)
    )


def in_words(difference: Difference) -> str:
    """A difference with its interval: "clearly lower by 0.129 (0.101 to 0.157)"."""
    if difference.interval is None:
        return f"{difference.value:+.3f}, too few pieces or seeds for an interval"
    low, high = difference.interval
    if not difference.is_clear:
        reason = " as a bound leaves the order open:" if difference.is_left_open else ""
        return f"no clear difference,{reason} {difference.value:+.3f} ({low:+.3f} to {high:+.3f})"
    ends = sorted((abs(low), abs(high)))
    return " ".join(_clear_words(difference, f"{abs(difference.value):.3f} ({ends[0]:.3f} to {ends[1]:.3f})"))


def _clear_words(difference: Difference, number: str) -> Iterator[str]:
    yield "clearly lower" if difference.value < 0 else "clearly higher"
    if difference.is_of_bounds:
        yield "(of bounds)"
    if any("estimate" in kind for kind in difference.kinds):
        yield "(estimated)"
    # A bound lies above the true value, so a clear difference between a bound and a figure that is not one
    # can only grow.
    is_bound = ["bound" in kind for kind in difference.kinds]
    yield f"by at least {number}" if is_bound[0] != is_bound[1] else f"by {number}"
