"""Progress: the type of its callbacks, and the stream to which it is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

Progress = Callable[[int, int], None]
"""Called with the amount done and the total."""


class _Unfailing:
    """The current standard error as a stream; what cannot be written is discarded.

    A training must not end because its progress cannot be printed: the terminal was closed, the program that
    reads a pipe has exited, or the disk with the log is full.
    """

    def write(self, text: str) -> int:
        """Write a text."""
        with _unfailing():
            _current().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with _unfailing():
            _current().flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(_current(), name)


STDERR = cast(TextIO, _Unfailing())
"""Standard error, for progress and notes."""


def _current() -> TextIO:
    """The current `sys.stderr`, or, while rich shows a live display, the stream beneath it."""
    stream: TextIO = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    return stream


@contextmanager
def _unfailing() -> Iterator[None]:
    """Discard all further output if the block fails to write."""
    try:
        yield
    except BlockingIOError:
        pass  # a terminal that is not read for a moment
    except OSError:
        discard(_current())


def discard(stream: TextIO) -> None:
    """Discard what is buffered and all further output of a stream."""
    with suppress(OSError, ValueError):  # ValueError: it is closed, or has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
