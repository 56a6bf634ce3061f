"""Differences between rows of studies, from the results that are stored in the repository.

Rows are named as in `zoo.bench.verdict.verdict`. Two studies on the same music are compared as
`FILE against FILE`, the first row of each line being of the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

from regions import RegionError
from zoo.bench.assembly import tables
from zoo.bench.results import Results
from zoo.bench.rows import StudyTable
from zoo.bench.study import read_study
from zoo.bench.verdict import BEST, Verdict, verdict
from zoo.measure.interval import holm
from zoo.registry import open_registry

AGAINST = " against "
CLEAR = ("lower", "higher")


@dataclass(frozen=True)
class Comparison:
    """Pairs of rows that a region compares.

    Attributes:
        files: the study, or the two that are compared.
        data: the music that is shown; all of the study if empty.
        of: the term that is compared; all if empty.
        pairs: two rows each.
    """

    files: tuple[str, ...]
    data: tuple[str, ...] = ()
    of: str = ""
    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """`FILE [against FILE] [data=A,B] [of=TERM]`, and `ROW against ROW` on each further line."""
        head, *lines = text.strip().splitlines()
        words = head.split()
        options = dict(word.partition("=")[::2] for word in words if "=" in word)
        files = " ".join(word for word in words if "=" not in word).split(AGAINST)
        if unknown := set(options) - {"data", "of"}:
            raise RegionError(f"{', '.join(sorted(unknown))}: a region takes data= and of=")
        data = tuple(name for name in options.get("data", "").split(",") if name)
        return cls(tuple(files), data, options.get("of", ""), tuple(map(parse_pair, lines)))

    def tables(self, root: Path) -> list[StudyTable]:
        """Those of the first study, on the music that all studies share."""
        shared = set.intersection(*({table.data for table in read(root / file)} for file in self.files))
        if unknown := set(self.data) - shared:
            raise RegionError(f"{AGAINST.join(self.files)} is not of {', '.join(sorted(unknown))}")
        chosen = set(self.data) or shared
        return [table for table in read(root / self.files[0]) if table.data in chosen]

    def verdicts(self, pair: tuple[str, str], root: Path) -> list[Verdict]:
        """A pair of rows on each music."""
        second = {table.data: table for table in read(root / self.files[-1])}
        return [verdict(table, *pair, self.of, second[table.data]) for table in self.tables(root)]


def parse_pair(line: str) -> tuple[str, str]:
    """Two rows, written `ROW against ROW`."""
    first, separator, second = line.strip().partition(AGAINST)
    if not separator:
        raise RegionError(f"{line!r}: write ROW against ROW")
    return first, second


@dataclass(frozen=True)
class Page:
    """The differences that a document states, without duplicates.

    Attributes:
        stated: by the key of the verdict; without those that wait for results.
        clear_together: the keys of those that are clear when all of the page are looked at together.
    """

    stated: Mapping[tuple[str, ...], Verdict] = field(default_factory=dict)
    clear_together: frozenset[tuple[str, ...]] = frozenset()

    @classmethod
    def of(cls, comparisons: Iterable[Comparison], root: Path) -> Self:
        """The page that states these comparisons, with Holm's correction; see `zoo.measure.interval.holm`."""
        verdicts = [
            verdict
            for comparison in comparisons
            for pair in comparison.pairs
            for verdict in comparison.verdicts(pair, root)
        ]
        stated = {verdict.key: verdict for verdict in verdicts if verdict.p_value is not None}
        corrected = holm([verdict.p_value for verdict in stated.values() if verdict.p_value is not None])
        clear = (
            key
            for (key, verdict), p_value in zip(stated.items(), corrected, strict=True)
            if p_value < 0.05 and verdict.outcome in CLEAR
        )
        return cls(stated, frozenset(clear))


def name_row(name: str, verdicts: Iterable[Verdict], side: int) -> str:
    """A row by its name; the best row of a part by the row that it is on each music."""
    if not name.startswith(BEST):
        return f"`{name}`"
    rows = dict.fromkeys(f"`{verdict.names[side]}`" for verdict in verdicts if verdict.names[side])
    return f"{name}: {', then '.join(rows)}" if rows else name


def name_music(table: StudyTable) -> str:
    """The name of the music of a table, and whether it was read in an earlier way."""
    return f"{table.data} (earlier reading)" if table.is_earlier else table.data


@lru_cache
def read(file: Path) -> list[StudyTable]:
    """The tables of a study, from the results beside it."""
    registry = open_registry()
    return tables(read_study(file, registry), Results(file.parent / "results"), registry)
