"""The consoles of the command line: results on standard output, everything else on standard error.

Markup is off, so names and paths are printed as they are: `stderr.print("[/]")` prints three characters.
Style comes from arguments (`style="bold"`) and `rich.text.Text`.
"""

from __future__ import annotations

import os
import re
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from zoo.cli.answer import ANSWER
from zoo.cli.as_json import print_json as print_json
from zoo.cli.problems import visible as visible
from zoo.cli.problems import wrapped
from zoo.progress import STDERR

WIDE = 500
"""Width in columns if the output is a pipe or a file, where tables must not be cut."""


PAGE = 80
"""Width in columns of lists of sentences, which are wrapped in a pipe as well."""
# Not from the middle of other blanks, which would take time that grows with the square of their number.
BLANKS = re.compile(r"(?<! ) +$", re.MULTILINE)


class _Console(Console):
    """A console that lets `zoo.cli.main` handle a closed pipe, as for all other output."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, without blanks at the ends of lines where the output is a pipe or a file."""
        if self.is_terminal or self.quiet:
            super().print(*objects, **options)
            return
        with self.capture() as capture:
            super().print(*objects, **options)
        self.file.write(BLANKS.sub("", capture.get()))
        self.file.flush()

    def print_line(self, line: str, style: str = "none") -> None:
        """Print a sentence: wrapped at words on a terminal, otherwise in one line."""
        text = visible(line)
        self.print(wrapped(text, self.width, "  ") if self.is_terminal else text, style=style, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """Write out control characters in all strings, those in the cells of tables as well."""
        return super().render_str(visible(text, lines=True), **options)

    def on_broken_pipe(self) -> None:
        """Raise the error again; rich would exit the program."""
        raise


def _console(stream: TextIO) -> _Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return _Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


stderr = _console(STDERR)
"""Progress, notes and errors."""

stdout = _console(ANSWER)
"""The result of a command."""


def print_list(table: RenderableType) -> None:
    """Print a table of sentences on standard output, wrapped to the terminal or to a page."""
    stdout.print(table, width=PAGE if stdout.width == WIDE else None)
