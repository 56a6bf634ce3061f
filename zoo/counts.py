"""Counts with their nouns: 1 piece, 2 pieces."""

from __future__ import annotations

from collections.abc import Iterable

SMALLEST = 0.0005
"""Shares below this would be rounded to 0.0%."""


def count(number: int, noun: str) -> str:
    """A number and its noun in the singular or plural: `1 piece`, `1,200 pieces`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a noun: `pieces`, `families`."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def percent(share: float) -> str:
    """A share with one decimal, where 0.0% is none and 100.0% is all: `12.5%`, `less than 0.1%`."""
    if 0 < share < SMALLEST:
        return "less than 0.1%"
    return "more than 99.9%" if 1 - SMALLEST <= share < 1 else f"{share:.1%}"


def named(titles: Iterable[str], most: int = 3) -> str:
    """The first few titles, and how many more there are: `a, b, c and 4 more`."""
    titles = list(titles)
    more = f" and {len(titles) - most:,} more" if len(titles) > most else ""
    return ", ".join(titles[:most]) + more
