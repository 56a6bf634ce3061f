"""Import matplotlib without settings of the current folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext
from tempfile import TemporaryDirectory


def import_matplotlib() -> None:
    """Import matplotlib, unless it is imported already, without reading `./matplotlibrc`.

    matplotlib prefers that file to all others, even to $MATPLOTLIBRC, and old versions evaluate its colours
    as Python code. Every first import of matplotlib in the zoo is this one.

    Raises:
        ImportError: matplotlib is not installed.
    """
    if "matplotlib" in sys.modules:
        return
    # The current folder is that of all threads, so it changes only where it must. One that was removed has no
    # files and cannot be left.
    with _inside_an_empty_folder() if os.path.lexists("matplotlibrc") else nullcontext():
        import matplotlib  # noqa: F401


@contextmanager
def _inside_an_empty_folder() -> Iterator[None]:
    with TemporaryDirectory() as empty, chdir(empty):
        yield
