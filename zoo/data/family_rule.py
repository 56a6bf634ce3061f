"""Rules for families: which pieces belong together where notes cannot tell, such as performances of one work.

A rule is a regular expression that is searched for in the titles (what its groups match names the family, or
all that it matches where it has no group), or a CSV file of two columns, title and family. It says nothing of
a piece where it does not match or the name of the family is empty.
"""

from __future__ import annotations

import csv
import re
import warnings
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
    r"([^-_./]+)[-_.][^/]*$": "what their names begin with",
    r"(?i)^(.+?)(?:[-_. (]+v(?:er(?:sion)?)?[-_. ]?\d+\)?)?\.\w+$": "their names without a version",
}
"""Regular expressions that are proposed where they join many pieces, and what they go by."""
EXAMPLE = r"such as '^(\d+)-' for 001-melody.mid and 001-chords.mid, or a CSV file of titles and families"
ENOUGH = 0.5
"""Least share of the pieces that a proposed rule puts into families of several."""
LARGEST_FAMILY = 0.2
"""Largest share of all pieces that a proposed rule may put into one family."""


def family_rule(text: str) -> Rule:
    """The rule that the text states, or the file that it names.

    Raises:
        UsageError: it is not a regular expression, or the file cannot be read or is no table of two columns.
    """
    if _is_table(text):
        return _table(Path(text)).get
    pattern = _compiled(text)

    def rule(title: str) -> str | None:
        match = pattern.search(title)
        if match is None:
            return None
        return ("/".join(filter(None, match.groups())) if pattern.groups else match[0]) or None

    return rule


def check_matches(text: str, families: Sequence[str | None], titles: Sequence[str]) -> None:
    """Refuse a rule that puts no piece into a family, as one with a slip in it does.

    Args:
        text: the rule.
        families: what it says of each piece.
        titles: of these pieces.

    Raises:
        UsageError: it says nothing of any of them.
    """
    if not titles or any(families):
        return
    if _is_table(text):
        what = "the titles in this table are not those of any piece"
    elif Path(text).is_file():
        what = "no title matches; this is the name of a file, and a table of families is a .csv file"
    else:
        what = "no title matches this regular expression"
    more = f" and {len(titles) - 3:,} more" if len(titles) > 3 else ""
    hint = f"the titles are {', '.join(titles[:3])}{more}; `zoo data show` lists them"
    raise UsageError(Problem(what, f"family={text}", hint))


def proposed_rule(titles: Sequence[str]) -> tuple[str, str] | None:
    """The regular expression that would join most pieces by their titles, and what it goes by.

    None where no rule joins many, or only into families so large that no split could be made of them.
    """
    joined = {text: _joined(text, titles) for text in PROPOSALS}
    best = max(joined, key=lambda text: joined[text])
    return (best, PROPOSALS[best]) if joined[best] and joined[best] >= ENOUGH * len(titles) else None


def _joined(text: str, titles: Sequence[str]) -> int:
    """How many pieces a rule puts into families of several; 0 where a family is too large."""
    rule = family_rule(text)
    sizes = Counter(family for title in titles if (family := rule(PurePosixPath(title).as_posix())))
    if max(sizes.values(), default=0) > max(LARGEST_FAMILY * len(titles), 2):
        return 0
    return sum(size for size in sizes.values() if size > 1)


def _compiled(text: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a set in a set, which may mean something else one day
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        what = f"this cannot be read as a regular expression: {error}"
        raise UsageError(Problem(what, f"family={text}", EXAMPLE)) from None


def _is_table(text: str) -> bool:
    return text.lower().endswith(SUFFIX)


def _table(path: Path) -> dict[str, str]:
    where = f"family={path}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file.read(LARGEST).splitlines()))
    except UnicodeDecodeError:
        raise UsageError(Problem("this table is not in UTF-8", where, "save it as CSV in UTF-8")) from None
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "name a CSV file that is there and may be read"
        raise UsageError(Problem(f"this table cannot be read: {reason}", where, hint)) from None
    wrong = next(((number, row) for number, row in enumerate(rows, 1) if row and len(row) != 2), None)
    if wrong is not None:
        number, row = wrong
        columns = f"{len(row)} column" + ("" if len(row) == 1 else "s")
        hint = "a line is a title and its family, separated by a comma; put a title with a comma into quotes"
        raise UsageError(Problem(f"line {number} has {columns}, not two", where, hint))
    return {row[0]: row[1] for row in rows if row and row[1].strip()}
