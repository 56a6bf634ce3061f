"""Open the bundles that a user names, with a note if their run was trained further since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.model.bundle import Bundle


def open_named(path: str | Path) -> Bundle:
    """Open a bundle as `zoo.model.bundle.open_bundle` does, and note if it is outdated."""
    from zoo.model.bundle import open_bundle

    bundle = open_bundle(path)
    note_outdated(path, bundle.record)
    return bundle


def note_outdated(path: str | Path, record: Mapping[str, Any]) -> None:
    """Note if a bundle is older than the checkpoints of its run.

    Args:
        path: the bundle or run, as named by the user.
        record: the content of its configuration, or the record of its training.
    """
    from zoo.cli.console import stderr
    from zoo.model.pretrained import bundle_folder
    from zoo.train.summary import outdated

    if note := outdated(bundle_folder(path), record):
        stderr.print_line(f"note: {note}")
