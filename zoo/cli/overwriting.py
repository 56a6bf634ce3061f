"""What is there already is not written over unless somebody says so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from zoo.errors import Problem, UsageError
from zoo.model.sealed import MANIFEST

force_option = click.option("--force", is_flag=True, help="Write over what is there already.")


def would_be_lost(paths: Iterable[Path | None], force: bool) -> list[Problem]:
    """A problem for each file or bundle that is there already, unless `force` gives it up."""
    lost = [path for path in paths if path and (path.is_file() or (path / MANIFEST).is_file())]
    hint = "name another place, or add --force to write over it"
    return [] if force else [Problem("is there already", str(path), hint) for path in lost]


def keep_what_is_there(path: Path | None, force: bool) -> None:
    """Find out before any work whether a bundle would be written over.

    Raises:
        UsageError: one would be.
    """
    if problems := would_be_lost([path], force):
        raise UsageError(*problems)
