"""Keep the output of third-party code out of standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Redirect standard output to standard error, including that of C libraries and child processes.

    Standard output is reserved for results, which other programs may parse.
    """
    sys.stdout.flush()
    original = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(original, 1)
        os.close(original)
