"""Printing errors; without rich, so that a typing error is reported at once."""

from __future__ import annotations

from collections.abc import Iterable

import click

from zoo.errors import Problem


def visible(text: str, *, lines: bool = False) -> str:
    """The text with control characters written out.

    A file name can then neither control the terminal nor imitate a line of output.

    Args:
        text: the text to print.
        lines: whether line breaks are kept; for text that does not come from files.
    """
    allowed = "\n" if lines else ""
    return "".join(char if char.isprintable() or char in allowed else repr(char)[1:-1] for char in text)


def print_problems(problems: Iterable[Problem], lead: str = "error: ") -> None:
    """Each problem with its place and hint, on standard error."""
    for problem in problems:
        click.echo(click.style(lead, fg="red", bold=True) + _visible(problem), err=True)


def _visible(problem: Problem) -> str:
    return str(Problem(*(visible(text) for text in (problem.what, problem.where, problem.hint))))
