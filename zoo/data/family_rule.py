"""Rules that define families of pieces if notes are not enough, such as performances of one work.

A rule is a regular expression that is searched for in the titles (its groups, or the whole match if it has
none, name the family), or a CSV file with two columns, title and family. A piece for which the rule does not
match, or gives an empty name, is not assigned to a family by it.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from zoo.errors import Problem, UsageError
from zoo.limits import read_text

Rule = Callable[[str], str | None]
"""Maps the title of a piece to the name of its family, or to None if the rule does not apply."""

SUFFIX = ".csv"
PROPOSALS = {
    "^(.*)/[^/]*$": "their folders",
    r"([^-_./]+)[-_.][^/]*$": "the beginning of their file names",
    r"(?i)^(.+?)(?:[-_. (]+v(?:er(?:sion)?)?[-_. ]?\d+\)?)?\.\w+$": "their file names without a version",
}
"""Regular expressions that are proposed if they join many pieces, and what they group pieces by."""
EXAMPLE = r"such as '^(\d+)-' for 001-melody.mid and 001-chords.mid, or a CSV file of titles and families"
MIN_JOINED = 0.5
"""A rule is proposed only if it puts at least this share of the pieces into families of several pieces."""
MAX_FAMILY = 0.2
"""A rule is proposed only if its largest family has at most this share of the pieces."""


def family_rule(text: str) -> Rule:
    """Parse a rule: a regular expression, or the path of a CSV file.

    Raises:
        UsageError: the text is not a regular expression, or the file cannot be read or does not have two
            columns.
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
    """Reject a rule that matches no piece, which is most likely a typo.

    Args:
        text: the rule.
        families: family of each piece by the rule, or None.
        titles: titles of these pieces.

    Raises:
        UsageError: the rule assigns none of the pieces to a family.
    """
    if not titles or any(families):
        return
    if _is_table(text):
        what = "no piece has any of the titles in this table"
    elif Path(text).is_file():
        what = (
            "no title matches; this is an existing file, but only a .csv file is read as a table of families"
        )
    else:
        what = "no title matches this regular expression"
    more = f" and {len(titles) - 3:,} more" if len(titles) > 3 else ""
    hint = f"the titles are {', '.join(titles[:3])}{more}; `zoo data show` lists them"
    raise UsageError(Problem(what, f"family={text}", hint))


def proposed_rule(titles: Sequence[str]) -> tuple[str, str] | None:
    """The regular expression in `PROPOSALS` that joins the most pieces, and what it groups them by.

    None if no rule joins many pieces, or only into families that are too large to be split.
    """
    joined = {text: _joined(text, titles) for text in PROPOSALS}
    best = max(joined, key=lambda text: joined[text])
    return (best, PROPOSALS[best]) if joined[best] and joined[best] >= MIN_JOINED * len(titles) else None


def _joined(text: str, titles: Sequence[str]) -> int:
    """Number of pieces that a rule puts into families of several pieces; 0 if one of them is too large."""
    rule = family_rule(text)
    sizes = Counter(family for title in titles if (family := rule(PurePosixPath(title).as_posix())))
    if max(sizes.values(), default=0) > max(MAX_FAMILY * len(titles), 2):
        return 0
    return sum(size for size in sizes.values() if size > 1)


def _compiled(text: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # FutureWarning: possible nested set
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        what = f"this is not a valid regular expression: {error}"
        raise UsageError(Problem(what, f"family={text}", EXAMPLE)) from None


def _is_table(text: str) -> bool:
    return text.lower().endswith(SUFFIX)


def _table(path: Path) -> dict[str, str]:
    where = f"family={path}"
    try:
        rows = list(csv.reader(read_text(path, "families").splitlines()))
    except UnicodeDecodeError:
        raise UsageError(Problem("this table is not in UTF-8", where, "save it as CSV in UTF-8")) from None
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "give a CSV file that exists and is readable"
        raise UsageError(Problem(f"this table cannot be read: {reason}", where, hint)) from None
    invalid = next(((number, row) for number, row in enumerate(rows, 1) if row and len(row) != 2), None)
    if invalid is not None:
        number, row = invalid
        columns = f"{len(row)} column" + ("" if len(row) == 1 else "s")
        hint = "a line is a title and its family, separated by a comma; quote titles that contain a comma"
        raise UsageError(Problem(f"line {number} has {columns}, not two", where, hint))
    return {row[0]: row[1] for row in rows if row and row[1].strip()}
