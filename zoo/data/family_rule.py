"""Rules for families: which pieces belong together where notes cannot tell, such as performances of one work.

A rule is a regular expression that is searched for in the titles (what its groups match names the family, or
all that it matches where it has no group), or a CSV file of two columns, title and family.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from zoo.errors import Problem, UsageError

Rule = Callable[[str], str | None]
"""The family of a piece by its title; None where the rule says nothing of it."""

LARGEST = 16 * 2**20
"""Bytes of a CSV file."""
SUFFIX = ".csv"
PROPOSALS = {
    "^(.*)/[^/]*$": "the folders that the pieces are in",
    r"^([^-_/]+)[-_][^/]*$": "what their names begin with",
    r"^(.*?)[-_ ]*(?:v(?:er(?:sion)?)?)?[-_ ]?\d+\.\w+$": "their names without a number at the end",
}
"""Regular expressions that are proposed where they join many pieces, and what they go by."""
ENOUGH = 0.5
"""Least share of the pieces that a proposed rule puts into families of several."""
LARGEST_FAMILY = 0.2
"""Largest share of all pieces that a proposed rule may put into one family."""


def family_rule(text: str) -> Rule:
    """The rule that the text states, or the file that it names.

    Raises:
        UsageError: it is no regular expression, or the file cannot be read or is no table of two columns.
    """
    if text.lower().endswith(SUFFIX):
        families = _table(Path(text))
        return families.get
    try:
        pattern = re.compile(text)
    except re.error as error:
        hint = (
            r"such as '^(\d+)-' for 001-melody.mid and 001-chords.mid, or a CSV file of titles and families"
        )
        raise UsageError(Problem(f"this is no regular expression: {error}", f"family={text}", hint)) from None

    def rule(title: str) -> str | None:
        match = pattern.search(title)
        return None if match is None else "/".join(filter(None, match.groups())) or match[0]

    return rule


def proposed_rule(titles: Sequence[str]) -> tuple[str, str] | None:
    """A regular expression that would join many pieces by their titles, and what it goes by; or None."""
    for text, what in PROPOSALS.items():
        rule = family_rule(text)
        sizes = Counter(family for title in titles if (family := rule(PurePosixPath(title).as_posix())))
        together = sum(size for size in sizes.values() if size > 1)
        largest = max(sizes.values(), default=0)
        if largest and together >= ENOUGH * len(titles) and largest <= max(LARGEST_FAMILY * len(titles), 2):
            return text, what
    return None


def _table(path: Path) -> dict[str, str]:
    where = f"family={path}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file.read(LARGEST).splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(Problem(f"this table cannot be read: {reason}", where, "save it as UTF-8")) from None
    wrong = next((number for number, row in enumerate(rows, 1) if row and len(row) != 2), None)
    if wrong is not None:
        hint = "each line is a title, as `zoo data show` lists it, and the name of its family"
        raise UsageError(Problem(f"line {wrong} does not have two columns", where, hint))
    return {row[0]: row[1] for row in rows if row}
