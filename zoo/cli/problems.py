"""Printing errors; without rich, so that a typing error is reported at once."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
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


def wrapped(line: str, width: int, indent: str = "") -> str:
    """The line, broken at blanks to fit a terminal; commands in backticks are not broken.

    Args:
        line: the text to wrap, without line breaks.
        width: of the terminal, in columns; longer words and commands stand alone on a longer line.
        indent: what all lines but the first begin with.
    """
    whole = re.sub(r"`[^`]*`", lambda command: command[0].replace(" ", "\0"), line)
    lines = textwrap.wrap(
        whole,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return "\n".join(lines).replace("\0", " ")


def print_problems(problems: Iterable[Problem], lead: str = "error: ") -> None:
    """Each problem with its place and hint on standard error, wrapped if that is a terminal."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    for problem in problems:
        message, _, hint = str(_visible(problem)).partition("\n")
        lines = [lead + message, *([hint] if hint else [])]
        if width:
            lines = [wrapped(line, width, "  ") for line in lines]
        text = "\n".join(lines)
        click.echo(click.style(lead, fg="red", bold=True) + text.removeprefix(lead), err=True)


def _visible(problem: Problem) -> Problem:
    return Problem(*(visible(text) for text in (problem.what, problem.where, problem.hint)))
