"""Existing files are overwritten only with --force."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from zoo.errors import Problem, UsageError
from zoo.model.sealed import MANIFEST

force_option = click.option("--force", is_flag=True, help="Overwrite existing files.")


def would_be_lost(paths: Iterable[Path | None], force: bool) -> list[Problem]:
    """A problem for each file or bundle that exists, unless `force` allows to overwrite it."""
    lost = [path for path in paths if path and (path.is_file() or (path / MANIFEST).is_file())]
    hint = "choose another path, or add --force to overwrite it"
    return [] if force else [Problem("already exists", str(path), hint) for path in lost]


def keep_what_is_there(path: Path | None, force: bool) -> None:
    """Check before any work that no bundle would be overwritten.

    Raises:
        UsageError: a bundle would be overwritten.
    """
    if problems := would_be_lost([path], force):
        raise UsageError(*problems)
