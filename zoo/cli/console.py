"""Where the command line speaks: results on standard output, everything else on standard error.

Markup is off, so names and paths are printed as they are: `talk.print("[/]")` prints three characters.
Style comes from arguments (`style="bold"`) and `rich.text.Text`.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console

from zoo.cli.answer import ANSWER
from zoo.cli.as_json import print_json as print_json
from zoo.cli.problems import visible as visible

WIDE = 500
"""Columns where nobody looks through a window: a pipe or a file must not cut tables."""


class _Console(Console):
    """A console that leaves a closed pipe to `zoo.cli.main`, as all other output does."""

    def on_broken_pipe(self) -> None:
        """Raise the error again; rich would end the program with a `SystemExit` of its own."""
        raise


def _console(stream: TextIO, *, stderr: bool) -> Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    file = None if stderr else stream
    return _Console(stderr=stderr, file=file, width=width, markup=False, highlight=False, emoji=False)


talk = _console(sys.stderr, stderr=True)
"""Progress, prose and problems."""

show = _console(ANSWER, stderr=False)
"""What was asked for."""
