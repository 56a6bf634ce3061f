"""Reserve standard output for the result of a command, which programs read.

Parts, their libraries and the processes they start may print to standard output. While a command runs,
Python's `sys.stdout` and, in a process of its own, descriptor 1 are therefore redirected to standard error.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO, cast


class _Answer:
    """The standard output from before the redirection, as a stream."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        self.aside: TextIO | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream or sys.stdout, name)


PLAIN = "polyzoo.plain"
"""The name of the handler of characters that an encoding lacks."""
INSTEAD = {"≤": "<=", "≲": "<~", "±": "+-", "…": "...", "–": "-", "−": "-", "─": "-", "×": "x", "↓": "|"}
_answer = _Answer()
ANSWER = cast(TextIO, _answer)
"""The stream to which a command writes its result."""


def take_standard_output() -> None:
    """Redirect descriptor 1 to standard error until the process ends; for the process of a command only.

    It is not restored, because output of native code may stay in a buffer until the process ends.
    """
    sys.stdout, sys.stderr = sys.stdout or _nowhere(1), sys.stderr or _nowhere(2)
    sys.stdout.flush()
    codecs.register_error(PLAIN, _in_plain_characters)
    errors = sys.stdout.errors if is_unicode(sys.stdout) else PLAIN
    if not is_unicode(sys.stderr) and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors=PLAIN)
    own = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=errors)
    os.dup2(2, 1)
    _answer.aside, sys.stdout = sys.stdout, own


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks, as a code page of Windows does, and do not end the command.

    A mark must not become another one: `?` marks a number of unknown kind.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(INSTEAD.get(char, "?") for char in error.object[error.start : error.end]), error.end


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can write every character."""
    return (stream.encoding or "utf-8").lower().replace("_", "-").startswith("utf")


def _nowhere(number: int) -> TextIO:
    """Replace a standard stream that was closed at start, or the next file would get its descriptor."""
    place = os.open(os.devnull, os.O_WRONLY)
    if place != number:
        os.dup2(place, number)
        os.close(place)
    return os.fdopen(number, "w", closefd=False)


@contextmanager
def printing_aside() -> Iterator[None]:
    """Redirect what the block prints to standard error; `ANSWER` still writes to standard output."""
    _answer.stream = sys.stdout
    try:
        with redirect_stdout(_answer.aside or sys.stderr):
            yield
    finally:
        if _answer.aside is not None and not _answer.aside.closed:
            _answer.aside.flush()
        _answer.stream = None
