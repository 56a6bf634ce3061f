"""What a study says of two rows, in words that follow from the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
        table: of the music.
        first: the row that is spoken of; None while it waits for results.
        second: the row that it is set against; None likewise.
        difference: first minus second, paired by piece and seed.
        slots: by which the rows are told apart.
        unit: of the difference, such as "nats a frame".
    """

    table: Table
    first: Row | None
    second: Row | None
    difference: Difference | None
    slots: tuple[Slot, ...]
    unit: str

    @property
    def outcome(self) -> Outcome:
        """Whether the first is clearly lower or higher, or neither; or waits for results."""
        if self.difference is None:
            return "waiting"
        if not self.difference.is_clear:
            return "level"
        return "lower" if self.difference.value < 0 else "higher"

    @property
    def chance(self) -> float | None:
        """How often rows that do not differ come out so far apart; None where nothing can be said of it."""
        return None if self.difference is None else self.difference.chance

    @property
    def words(self) -> str:
        """Such as "clearly lower by 0.129 (0.101 to 0.157)"."""
        return "no result yet" if self.difference is None else in_words(self.difference)

    @property
    def basis(self) -> str:
        """What it rests on: "n = 37 pieces, 5 seeds"."""
        pieces = 0 if self.difference is None else self.difference.pieces
        return f"n = {pieces} pieces, {self.table.study.settings.seeds} seeds"


def verdict(table: Table, first: str, second: str, of: str = "") -> Verdict:
    """One row of a table against another.

    Args:
        table: of a study on some music.
        first: a row by its parts as the study writes them in the slots in which rows differ, such as
            `onset lags`, or in as many of them as tell it from all others; a floor by its name; or `best
            onset`, of the rows that have this part the one that validation likes best, so that the choice
            does not look at the pieces that are scored.
        second: likewise.
        of: one term of the score; `velocity` for loudness; everything unless given.

    Raises:
        UsageError: the study has no such row, or the best is asked for among several encoders.
    """
    terms = (of,) if of else table.terms
    is_loudness = terms == LOUDNESS
    slots = table.study.loud_slots if is_loudness else table.study.slots
    rows = table.loudness if is_loudness else table.rows
    one, other = (_row(table, name, rows, slots) for name in (first, second))
    found = one.minus(other, *terms) if one and other else None
    return Verdict(table, one, other, found, slots, "nats a struck note" if is_loudness else "nats a frame")


def _row(table: Table, name: str, rows: Sequence[Row], slots: Sequence[Slot]) -> Row | None:
    """The row of a name; None while it waits for results."""
    if name.startswith(BEST):
        part = name.removeprefix(BEST)
        among = [one for one in table.study.combinations if part in [one.labels[slot] for slot in slots]]
        if len({one.labels["encoder"] for one in among}) > 1:
            what = "validation does not judge what encoders leave out, so the best of several is not known"
            raise UsageError(Problem(what, name, "name the rows"))
        if among:
            names = {one.called(slots) for one in among}
            judged = [row for row in rows if row.called(slots) in names and row.validation is not None]
            return min(judged, key=lambda row: row.validation or 0.0, default=None)
    if floor := next((row for row in rows if row.floor == name), None):
        return floor
    meant = {one.called(slots) for one in table.study.combinations if _is_called(one.labels, slots, name)}
    if rows and len(meant) != 1:
        what = "more than one row is called so" if meant else "the study has no such row"
        known = {one.called(slots) for one in table.study.combinations} | {row.floor for row in rows} - {""}
        raise UsageError(Problem(what, name, f"its rows are {', '.join(sorted(meant or known))}"))
    return next((row for row in rows if row.called(slots) in meant), None)


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
