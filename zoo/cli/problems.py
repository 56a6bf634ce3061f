"""What went wrong, as the user reads it; without rich, so that a typing mistake is answered at once."""

from __future__ import annotations

from collections.abc import Iterable

import click

from zoo.errors import Problem


def visible(text: str, *, lines: bool = False) -> str:
    """The text with control characters written out.

    A file name can then neither command a terminal nor pass for a line that the zoo has printed.

    Args:
        text: what is to be printed.
        lines: whether it is of our own making and may have several lines.
    """
    kept = "\n" if lines else ""
    return "".join(char if char.isprintable() or char in kept else repr(char)[1:-1] for char in text)


def print_problems(problems: Iterable[Problem], lead: str = "error: ") -> None:
    """Each problem with its place and hint, on standard error."""
    for problem in problems:
        click.echo(click.style(lead, fg="red", bold=True) + _visible(problem), err=True)


def _visible(problem: Problem) -> str:
    return str(Problem(*(visible(text) for text in (problem.what, problem.where, problem.hint))))
