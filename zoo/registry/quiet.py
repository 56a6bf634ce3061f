"""Running foreign code without letting it write where results go."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Send what plugins print to standard error, also what their libraries and child processes print.

    Standard output belongs to results, which programs read.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
