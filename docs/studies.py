"""What documents show of studies, from the results that are stored in the repository.

    <!-- study: benchmarks/attention.toml data=bach -->     its tables

    <!-- compare: benchmarks/attention.toml
    onset lags against onset history
    best onset against best sounding -->                    differences, one pair of rows a line

    <!-- answer: benchmarks/attention.toml
    onset lags against onset history
    lower: Handing it over is better.
    higher: Weighing it is better.
    level: It makes no clear difference. -->                what the numbers say, in the words for it

Without `data=` all music of the study is shown; `of=velocity` sets loudness side by side, `of=keys` one term
of the score. Rows are named as in `zoo.bench.verdict.verdict`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from zoo.bench.printing import markdown
from zoo.bench.results import Results
from zoo.bench.rows import Table, tables
from zoo.bench.sheet import Sheet, sheets
from zoo.bench.study import read_study
from zoo.bench.verdict import BEST, Verdict, verdict
from zoo.measure.interval import holm
from zoo.registry import open_registry

AGAINST = " against "


class ArgumentError(Exception):
    """A region is marked in a way that nobody understands."""


@dataclass(frozen=True)
class Argument:
    """What a region asks for.

    Attributes:
        file: of the study.
        data: music that is shown; all of the study where empty.
        of: the term that is compared; all where empty.
        lines: what follows the first line.
    """

    file: str
    data: tuple[str, ...]
    of: str
    lines: tuple[str, ...]


def parsed(text: str) -> Argument:
    """The argument of a region."""
    head, *lines = text.strip().splitlines()
    file, *words = head.split()
    options = dict(word.partition("=")[::2] for word in words)
    if strange := set(options) - {"data", "of"}:
        raise ArgumentError(f"{', '.join(sorted(strange))}: a region takes data= and of=")
    data = tuple(name for name in options.get("data", "").split(",") if name)
    return Argument(file, data, options.get("of", ""), tuple(line.strip() for line in lines))


def study(text: str, root: Path) -> str:
    """The tables of a study."""
    asked = parsed(text)
    printed = [sheet for table in _tables(asked, root) for sheet in _sheets(table, asked.of)]
    return "\n".join(markdown(sheet) for sheet in printed).rstrip("\n")


def digest(file: Path) -> str:
    """Eight hexadecimal digits that change with any number of the tables of a study."""
    printed = [line.cells for table in read(file) for sheet in sheets(table) for line in sheet.lines]
    return hashlib.sha256(json.dumps(printed).encode()).hexdigest()[:8]


def _sheets(table: Table, of: str) -> list[Sheet]:
    """The table of the score and that of loudness; of loudness alone where that is what is asked for."""
    found = list(sheets(table))
    return found[1:] if of == "velocity" else found


def compare(text: str, root: Path) -> str:
    """A table of differences: a line for each pair of rows, a column for each music."""
    asked = parsed(text)
    found = _tables(asked, root)
    names = " | ".join(table.data for table in found)
    lines = [f"| | against | {names} |", "| --- | --- |" + " --- |" * len(found)]
    verdicts = [[_verdict(table, line, asked.of) for table in found] for line in asked.lines]
    sure, count = _sure_together([one for row in verdicts for one in row])
    for line, row in zip(asked.lines, verdicts, strict=True):
        first, _, second = line.partition(AGAINST)
        names = f"{_named(first, row, 0)} | {_named(second, row, 1)}"
        lines.append(
            f"| {names} | {' | '.join(f'**{one.words}**' if one in sure else one.words for one in row)} |"
        )
    unit = "struck note" if asked.of == "velocity" else "frame"
    counts = ", ".join(_count(table) for table in found if table.rows)
    seeds = found[0].study.settings.seeds
    note = (
        f"Nats a {unit}, paired by piece and seed, with 95 % intervals; n = {seeds} seeds, {counts}. "
        f"In bold: clear among all {count} differences of this table at once (Holm's correction), "
        "not only each by itself."
    )
    return "\n".join([*lines, "", note])


def _sure_together(verdicts: Sequence[Verdict]) -> tuple[list[Verdict], int]:
    """Those that are clear when all are looked at, and how many these are."""
    known = [one for one in verdicts if one.chance is not None]
    together = holm([one.chance for one in known if one.chance is not None])
    sure = [
        one
        for one, chance in zip(known, together, strict=True)
        if chance < 0.05 and one.outcome in ("lower", "higher")
    ]
    return sure, len(known)


def _count(table: Table) -> str:
    return f"{len(table.rows[0].found[0].frames)} pieces of {table.data}"


def _named(name: str, verdicts: Sequence[Verdict], side: int) -> str:
    """A row by its name; of the best, which it is on each music."""
    if not name.startswith(BEST):
        return f"`{name}`"
    rows = [(one.first, one.second)[side] for one in verdicts]
    which = dict.fromkeys(f"`{row.called(verdicts[0].slots)}`" for row in rows if row)
    return f"{name}: {', then '.join(which)}" if which else name


def answer(text: str, root: Path) -> str:
    """For each music the words that go with what the numbers say, and the numbers."""
    asked = parsed(text)
    pair, *others = asked.lines
    said = dict(_outcomes(others))
    lines = []
    for table in _tables(asked, root):
        found = _verdict(table, pair, asked.of)
        if found.outcome == "waiting":
            lines.append(f"- {table.data}: no result yet.")
            continue
        missing = len(table.missing) if BEST in pair else 0
        wait = f" The best so far: {missing} rows of the table wait for results." if missing else ""
        lines.append(f"- {table.data}: **{said[found.outcome]}** {_sentence(found, pair)}{wait}")
    return "\n".join(lines)


def _sentence(found: Verdict, pair: str) -> str:
    """The difference itself: "`lags` against `none`: clearly lower by 0.129 (0.101 to 0.157)"."""
    first, second = (_named(name, [found], side) for side, name in enumerate(pair.split(AGAINST)))
    return f"{first} against {second}: {found.words} {found.unit}; {found.basis}."


def _outcomes(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    outcomes = {"lower", "higher", "level"}
    for line in lines:
        outcome, _, words = line.partition(": ")
        if outcome not in outcomes:
            raise ArgumentError(f"{line!r}: an answer has words for lower, higher and level")
        outcomes.remove(outcome)
        yield outcome, words
    if outcomes:
        raise ArgumentError(f"there are no words for {', '.join(sorted(outcomes))}")


def _verdict(table: Table, line: str, of: str) -> Verdict:
    first, sign, second = line.partition(AGAINST)
    if not sign:
        raise ArgumentError(f"{line!r}: write ROW against ROW")
    return verdict(table, first, second, of)


def _tables(asked: Argument, root: Path) -> list[Table]:
    found = read(root / asked.file)
    if strange := set(asked.data) - {table.data for table in found}:
        raise ArgumentError(f"{asked.file} is not of {', '.join(sorted(strange))}")
    return [table for table in found if not asked.data or table.data in asked.data]


@lru_cache
def read(file: Path) -> list[Table]:
    """The tables of a study, from the results beside it."""
    registry = open_registry()
    return tables(read_study(file, registry), Results(file.parent / "results"), registry)
