"""Import matplotlib without settings of the current folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


def import_matplotlib() -> None:
    """Import matplotlib, unless it is imported already, without reading `./matplotlibrc`.

    matplotlib prefers that file to all others, even to $MATPLOTLIBRC, and old versions evaluate its colours
    as Python code. Every first import of matplotlib in the zoo is this one.

    Raises:
        ImportError: matplotlib is not installed.
    """
    if "matplotlib" not in sys.modules:
        with TemporaryDirectory() as empty, _inside(empty):
            import matplotlib  # noqa: F401


@contextmanager
def _inside(folder: str) -> Iterator[None]:
    """Change to a folder within the block, if the current one still exists; otherwise it has no files."""
    try:
        Path.cwd()
    except OSError:
        yield
        return
    with chdir(folder):
        yield
