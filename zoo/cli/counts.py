"""Counts in words: one piece, two pieces."""

from __future__ import annotations

from collections.abc import Iterable


def count(number: int, noun: str) -> str:
    """A number and its noun, in the plural unless it is one: `1 piece`, `1,200 pieces`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural(noun)}"


def plural(noun: str) -> str:
    """A noun in the plural: `pieces`, `families`."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def named(titles: Iterable[str], most: int = 3) -> str:
    """The first few titles, and how many more there are: `a, b, c and 4 more`."""
    every = list(titles)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
