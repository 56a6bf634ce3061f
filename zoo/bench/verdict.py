"""What a study says of two rows, in words that follow from the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

from zoo.bench.rows import Row, Table
from zoo.errors import Problem, UsageError
from zoo.measure.evaluation import Difference
from zoo.parts import Slot

Outcome = Literal["lower", "higher", "level", "waiting"]
LOUDNESS = ("velocity",)
BEST = "best "


@dataclass(frozen=True)
class Verdict:
    """One row against another, on one music.

    Attributes:
        table: of the first row.
        beside: of the second; the same table unless two studies are set side by side.
        first: the row that is spoken of; None while it waits for results.
        second: the row that it is set against; None likewise.
        terms: of the score that are compared, or `velocity`.
        unit: of the difference, such as "nats a frame".
    """

    table: Table
    beside: Table
    first: Row | None
    second: Row | None
    terms: tuple[str, ...]
    unit: str

    @cached_property
    def difference(self) -> Difference | None:
        """First minus second, paired by piece and seed; None where there is no pair."""
        return self._without(0)

    @cached_property
    def without_selection_seeds(self) -> Difference | None:
        """The same without the seeds that chose the learning rates; None where less than two seeds remain.

        A rate that was chosen for being best with some seeds is flattered by just these.
        """
        judges = self.selection_seeds
        return self._without(judges) if judges and self.seeds - judges > 1 else None

    def _without(self, seeds: int) -> Difference | None:
        if self.first is None or self.second is None or self.table.reading != self.beside.reading:
            return None
        return self.first.without(seeds).minus(self.second.without(seeds), *self.terms)

    @property
    def selection_seeds(self) -> int:
        """How many seeds chose the learning rates of either row; 0 where there was nothing to choose."""
        return max((row.selection_seeds for row in (self.first, self.second) if row), default=0)

    @property
    def seeds(self) -> int:
        """From how many seeds parts were trained."""
        return self.table.study.settings.seeds

    @property
    def depends_on_selection_seeds(self) -> bool:
        """Whether it is clear, and no longer so without the seeds that chose the learning rates."""
        rest = self.without_selection_seeds
        return self.outcome in ("lower", "higher") and rest is not None and not rest.is_clear

    @property
    def outcome(self) -> Outcome:
        """Whether the first is clearly lower or higher, or neither; or waits for results."""
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
        """Such as "clearly lower by 0.129 (0.101 to 0.157)"."""
        if self.difference is not None:
            return in_words(self.difference)
        if self.first and self.second:
            return "not comparable, the studies are of different readings of the music"
        return "no result yet"

    @property
    def basis(self) -> str:
        """What it rests on: "n = 37 pieces, 5 seeds"."""
        pieces = 0 if self.difference is None else self.difference.pieces
        return f"n = {pieces} pieces, {self.seeds} seeds"

    @property
    def key(self) -> tuple[str, ...]:
        """The identity of the comparison, whatever its rows are called."""
        studies = str(self.table.study.path), str(self.beside.study.path)
        return (*studies, self.table.data, *self.names, *self.terms)

    @property
    def names(self) -> tuple[str, str]:
        """What the two rows are called in their tables; empty while one waits."""
        found = ((self.table, self.first), (self.beside, self.second))
        one, other = (row.label_for(_slots(table, self.terms)) if row else "" for table, row in found)
        return one, other


def verdict(table: Table, first: str, second: str, of: str = "", beside: Table | None = None) -> Verdict:
    """One row of a table against another.

    Args:
        table: of a study on some music.
        first: a row by its parts as the study writes them in the slots in which rows differ, such as
            `onset lags`, or in as many of them as tell it from all others; a floor by its name; or `best
            onset`, of the rows that have this part the one that validation likes best, so that the choice
            does not look at the pieces that are scored.
        second: likewise.
        of: one term of the score; `velocity` for loudness; everything unless given.
        beside: where the second row is looked up: the table of another study on the same music.

    Raises:
        UsageError: the study has no such row, the best is asked for among several encoders, or the rows of
            two studies make no pairs of pieces and seeds.
    """
    beside = beside or table
    one, other = table.study, beside.study
    if (one.settings.seeds, one.settings.split) != (other.settings.seeds, other.settings.split):
        what = "these studies differ in seeds or split, so their rows make no pairs"
        raise UsageError(Problem(what, f"{one.path} and {other.path}", "give both the same seeds and split"))
    terms = (of,) if of else table.terms
    rows = _row(table, first, terms), _row(beside, second, terms)
    unit = "nats a struck note" if terms == LOUDNESS else "nats a frame"
    return Verdict(table, beside, *rows, terms, unit)


def _slots(table: Table, terms: Sequence[str]) -> tuple[Slot, ...]:
    """The slots that distinguish the rows."""
    return table.study.loud_slots if terms == LOUDNESS else table.study.slots


def _row(table: Table, name: str, terms: tuple[str, ...]) -> Row | None:
    """The row of a name; None while it waits for results."""
    slots, rows = _slots(table, terms), table.loudness if terms == LOUDNESS else table.rows
    if name.startswith(BEST):
        part = name.removeprefix(BEST)
        among = [one for one in table.study.combinations if part in [one.labels[slot] for slot in slots]]
        if len({one.labels["encoder"] for one in among}) > 1:
            what = "validation does not judge what encoders leave out, so the best of several is not known"
            raise UsageError(Problem(what, name, "name the rows"))
        if among:
            names = {one.label_for(slots) for one in among}
            judged = [row for row in rows if row.label_for(slots) in names and row.validation is not None]
            return min(judged, key=lambda row: row.validation or 0.0, default=None)
    if floor := next((row for row in rows if row.floor == name), None):
        return floor
    meant = {one.label_for(slots) for one in table.study.combinations if _is_called(one.labels, slots, name)}
    if rows and len(meant) != 1:
        what = "more than one row is called so" if meant else "the study has no such row"
        known = {one.label_for(slots) for one in table.study.combinations} | {row.floor for row in rows} - {
            ""
        }
        raise UsageError(Problem(what, name, f"its rows are {', '.join(sorted(meant or known))}"))
    return next((row for row in rows if row.label_for(slots) in meant), None)


def _is_called(labels: Mapping[Slot, str], slots: Sequence[Slot], name: str) -> bool:
    """Whether a name is that of a row, or leaves out only what need not be said."""
    return any(
        " ".join(labels[slot] for slot in some) == name
        for count in range(1, len(slots) + 1)
        for some in combinations(slots, count)
    )


def in_words(difference: Difference) -> str:
    """A difference with its interval: "clearly lower by 0.129 (0.101 to 0.157)"."""
    if difference.interval is None:
        return f"{difference.value:+.3f}, too little to say how surely"
    low, high = difference.interval
    if not difference.is_clear:
        return f"no clear difference, {difference.value:+.3f} ({low:+.3f} to {high:+.3f})"
    ends = sorted((abs(low), abs(high)))
    return " ".join(_clear(difference, f"{abs(difference.value):.3f} ({ends[0]:.3f} to {ends[1]:.3f})"))


def _clear(difference: Difference, number: str) -> Iterator[str]:
    yield "clearly lower" if difference.value < 0 else "clearly higher"
    if difference.is_of_bounds:
        yield "(of bounds)"
    if any("estimate" in kind for kind in difference.kinds):
        yield "(estimated)"
    loose = [("bound" in kind) for kind in difference.kinds]
    yield f"by at least {number}" if loose[0] != loose[1] else f"by {number}"
