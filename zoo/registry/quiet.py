"""Keep the output of third-party code out of standard output."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_lock = threading.RLock()
_redirections = 0


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Redirect standard output to standard error, including that of C libraries and child processes.

    Standard output is reserved for results, which other programs may parse. It belongs to the process, so one
    thread at a time redirects it: two would restore each other's redirection.
    """
    with _lock:
        sys.stdout.flush()
        original = os.dup(1)
        try:
            os.dup2(2, 1)
            _count()
            with redirect_stdout(sys.stderr):
                yield
        finally:
            _count()
            os.dup2(original, 1)
            os.close(original)


def redirections() -> int:
    """A number that changes whenever a thread begins or ends a redirection."""
    return _redirections


def _count() -> None:
    global _redirections
    _redirections += 1
