"""What went wrong, as the user reads it; without rich, so that a typing mistake is answered at once."""

from __future__ import annotations

from collections.abc import Iterable

import click

from zoo.errors import Problem


def visible(text: str) -> str:
    """The text with control characters written out, so that a file name cannot command a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def print_problems(problems: Iterable[Problem], lead: str = "error: ") -> None:
    """Each problem with its place and cure, on standard error."""
    for problem in problems:
        click.echo(click.style(lead, fg="red", bold=True) + visible(str(problem)), err=True)
