"""What documents show of studies, from the results that are stored in the repository.

    <!-- study: benchmarks/attention.toml data=bach -->     its tables

    <!-- compare: benchmarks/attention.toml
    onset lags against onset history
    best onset against best sounding -->                    differences, one pair of rows a line

    <!-- answer: benchmarks/attention.toml
    onset lags against onset history
    lower: Passing the history on is better.
    higher: Weighing it is better.
    level: It makes no clear difference. -->                the sentence that the numbers choose, with them

    <!-- summary: ... -->                                   the sentence alone, chosen by what is clear among
                                                            all differences of the page

    <!-- differences -->                                    how many of the page's differences are clear

Without `data=` all music of the study is shown; `of=velocity` compares loudness, `of=keys` one term of the
score. Rows are named as in `zoo.bench.verdict.verdict`. Two studies on the same music are compared as
`FILE against FILE`, the first row of each line being of the first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from zoo.bench.assembly import tables
from zoo.bench.formatted import FormattedTable, format_tables
from zoo.bench.printing import markdown
from zoo.bench.reading import EARLIER
from zoo.bench.results import Results
from zoo.bench.rows import Table
from zoo.bench.study import read_study
from zoo.bench.verdict import BEST, Verdict, verdict
from zoo.measure.interval import holm
from zoo.registry import open_registry

AGAINST = " against "
STATE = ("compare", "answer", "summary")
"""The kinds of regions that state differences."""
CLEAR = ("lower", "higher")


class ArgumentError(Exception):
    """A region is marked in a way that makes no sense."""


@dataclass(frozen=True)
class Argument:
    """What a region asks for.

    Attributes:
        files: of the study, or of the two that are compared.
        data: music that is shown; all of the study where empty.
        of: the term that is compared; all where empty.
        lines: what follows the first line.
    """

    files: tuple[str, ...]
    data: tuple[str, ...]
    of: str
    lines: tuple[str, ...]


def parsed(text: str) -> Argument:
    """The argument of a region."""
    head, *lines = text.strip().splitlines()
    words = head.split()
    options = dict(word.partition("=")[::2] for word in words if "=" in word)
    files = " ".join(word for word in words if "=" not in word).split(AGAINST)
    if strange := set(options) - {"data", "of"}:
        raise ArgumentError(f"{', '.join(sorted(strange))}: a region takes data= and of=")
    data = tuple(name for name in options.get("data", "").split(",") if name)
    return Argument(tuple(files), data, options.get("of", ""), tuple(line.strip() for line in lines))


@dataclass(frozen=True)
class Page:
    """The differences that a document states, each once.

    Attributes:
        stated: by the key of the verdict; those that wait for results are left out.
        sure: the keys of those that are clear when all of the page are looked at together.
    """

    stated: Mapping[tuple[str, ...], Verdict] = field(default_factory=dict)
    sure: frozenset[tuple[str, ...]] = frozenset()


def page(regions: Iterable[tuple[str, str]], root: Path) -> Page:
    """What the regions of a document state, given as kind and argument.

    The correction for many differences is Holm's; see `zoo.measure.interval.holm`.
    """
    asked = [(parsed(text), kind) for kind, text in regions if kind in STATE]
    verdicts = [
        one for each, kind in asked for line in _pairs(each, kind) for one in _verdicts(each, line, root)
    ]
    stated = {one.key: one for one in verdicts if one.p_value is not None}
    together = holm([one.p_value for one in stated.values() if one.p_value is not None])
    found = zip(stated.items(), together, strict=True)
    sure = (key for (key, one), chance in found if chance < 0.05 and one.outcome in CLEAR)
    return Page(stated, frozenset(sure))


def _pairs(asked: Argument, kind: str) -> Sequence[str]:
    """The lines of a region that name two rows."""
    return asked.lines if kind == "compare" else asked.lines[:1]


def differences(stated: Page) -> str:
    """How much of what a page states is clear, and what of it is of an earlier reading."""
    found = list(stated.stated.values())
    clear = [one for one in found if one.outcome in CLEAR]
    hang = sum(one.depends_on_selection_seeds for one in clear)
    said = (
        f"Of {len(found)} differences on this page {len(clear)} are clear one by one, and {len(stated.sure)} "
        f"when all {len(found)} are looked at together (Holm's correction over the whole page). Of the "
        f"{len(clear)}, {hang} are no longer clear without the seeds that chose the learning rates."
    )
    earlier = {one.table.reading.number for one in found if one.table.reading and one.table.is_earlier}
    notes = [f"Where it says *earlier reading*, {EARLIER[number]}." for number in sorted(earlier)]
    return " ".join([said, *notes])


def study(text: str, root: Path) -> str:
    """The tables of a study."""
    asked = parsed(text)
    printed = [sheet for table in _tables(asked, root) for sheet in _sheets(table, asked.of)]
    return "\n".join(markdown(sheet) for sheet in printed).rstrip("\n")


def digest(text: str, root: Path) -> str:
    """Eight hexadecimal digits that change with any number of the tables of a study."""
    printed = [
        line.cells
        for table in _tables(parsed(text), root)
        for one in format_tables(table)
        for line in one.lines
    ]
    return hashlib.sha256(json.dumps(printed).encode()).hexdigest()[:8]


def _sheets(table: Table, of: str) -> list[FormattedTable]:
    """The table of the score and that of loudness; of loudness alone where that is what is asked for."""
    found = list(format_tables(table))
    return found[1:] if of == "velocity" else found


def compare(text: str, root: Path, stated: Page) -> str:
    """A table of differences: a line for each pair of rows, a column for each music."""
    asked = parsed(text)
    found = _tables(asked, root)
    names = " | ".join(map(_music, found))
    lines = [f"| | against | {names} |", "| --- | --- |" + " --- |" * len(found)]
    for line in asked.lines:
        row = _verdicts(asked, line, root)
        first, _, second = line.partition(AGAINST)
        said = [f"**{one.words}**" if one.key in stated.sure else one.words for one in row]
        lines.append(f"| {_named(first, row, 0)} | {_named(second, row, 1)} | {' | '.join(said)} |")
    return "\n".join([*lines, "", _note(found, asked.of, stated)])


def _note(found: Sequence[Table], of: str, stated: Page) -> str:
    unit = "struck note" if of == "velocity" else "frame"
    seeds = found[0].study.settings.seeds
    counts = ", ".join(_count(table) for table in found if table.rows)
    return (
        f"Nats a {unit}, paired by piece and seed, with 95 % intervals; n = {seeds} seeds, {counts}. "
        f"In bold: clear among all {len(stated.stated)} differences of this page together (Holm's "
        "correction), not only by itself."
    )


def _music(table: Table) -> str:
    return f"{table.data} (earlier reading)" if table.is_earlier else table.data


def _count(table: Table) -> str:
    return f"{len(table.rows[0].evaluations[0].frames)} pieces of {table.data}"


def _named(name: str, verdicts: Sequence[Verdict], side: int) -> str:
    """A row by its name; of the best, which it is on each music."""
    if not name.startswith(BEST):
        return f"`{name}`"
    which = dict.fromkeys(f"`{one.names[side]}`" for one in verdicts if one.names[side])
    return f"{name}: {', then '.join(which)}" if which else name


def answer(text: str, root: Path, stated: Page) -> str:
    """For each music the sentence that goes with what the numbers say, and the numbers."""
    asked = parsed(text)
    pair, *others = asked.lines
    said = dict(_outcomes(others))
    lines = []
    for found in _verdicts(asked, pair, root):
        if found.outcome == "waiting":
            lines.append(f"- {_music(found.table)}: {found.words}.")
            continue
        told = [f"**{said[found.outcome]}**", _sentence(found, pair), *_doubts(found, stated)]
        missing = len(found.table.missing) if BEST in pair else 0
        told += [f"The best so far: {missing} rows of the table wait for results."] if missing else []
        lines.append(f"- {_music(found.table)}: {' '.join(told)}")
    return "\n".join(lines)


def summary(text: str, root: Path, stated: Page) -> str:
    """For each music the sentence that holds when all differences of the page are looked at together."""
    asked = parsed(text)
    pair, *others = asked.lines
    said = dict(_outcomes(others))
    lines = []
    for found in _verdicts(asked, pair, root):
        outcome = "level" if found.outcome != "waiting" and found.key not in stated.sure else found.outcome
        words = f"{found.words}." if outcome == "waiting" else said[outcome]
        lines.append(f"- {_music(found.table)}: {words}")
    return "\n".join(lines)


def _sentence(found: Verdict, pair: str) -> str:
    """The difference itself: "`lags` against `none`: clearly lower by 0.129 (0.101 to 0.157)"."""
    first, second = (_named(name, [found], side) for side, name in enumerate(pair.split(AGAINST)))
    return f"{first} against {second}: {found.words} {found.unit}; {found.basis}."


def _doubts(found: Verdict, stated: Page) -> Iterator[str]:
    """What a difference that is clear by itself does not survive."""
    if found.outcome in CLEAR and found.key not in stated.sure:
        yield f"Clear by itself, not among all {len(stated.stated)} differences of this page."
    rest = found.without_selection_seeds
    if found.depends_on_selection_seeds and rest is not None and rest.interval is not None:
        those = "seed that" if found.selection_seeds == 1 else f"{found.selection_seeds} seeds that"
        number = "{:+.3f} ({:+.3f} to {:+.3f})".format(rest.value, *rest.interval)
        yield f"Not clear without the {those} chose the learning rates: {number}."


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


def _verdicts(asked: Argument, line: str, root: Path) -> list[Verdict]:
    """A pair of rows on each music."""
    first, sign, second = line.partition(AGAINST)
    if not sign:
        raise ArgumentError(f"{line!r}: write ROW against ROW")
    others = {table.data: table for table in read(root / asked.files[-1])}
    return [verdict(table, first, second, asked.of, others[table.data]) for table in _tables(asked, root)]


def _tables(asked: Argument, root: Path) -> list[Table]:
    """Those of the first study, on music that all studies of the region are of."""
    both = set.intersection(*({table.data for table in read(root / file)} for file in asked.files))
    if strange := set(asked.data) - both:
        raise ArgumentError(f"{AGAINST.join(asked.files)} is not of {', '.join(sorted(strange))}")
    chosen = set(asked.data) or both
    return [table for table in read(root / asked.files[0]) if table.data in chosen]


@lru_cache
def read(file: Path) -> list[Table]:
    """The tables of a study, from the results beside it."""
    registry = open_registry()
    return tables(read_study(file, registry), Results(file.parent / "results"), registry)
