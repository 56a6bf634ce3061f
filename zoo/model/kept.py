"""What remains of a bundle that is replaced: files that are not part of it, and an edited model card."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from zoo.errors import BundleError, Problem, ZooError
from zoo.files import free_name
from zoo.model.card import card
from zoo.model.config import read_config
from zoo.model.sealed import CARD, FILES, MANIFEST, read_card


def keep_others(old: Path, new: Path) -> None:
    """Link what is in the folder of a bundle and not part of it into the folder of its successor."""
    for child in old.iterdir() if old.is_dir() else ():
        if child.name not in (*FILES, MANIFEST):
            _link(child, new / child.name)


def keep_edited_card(old: Path, new: Path) -> str:
    """Link the card of a bundle into the folder of its successor, if a person has edited it.

    It takes the place of the new card if the generated ones are the same, as for the same model; otherwise
    it is kept beside the new one, since it describes other weights.

    Returns:
        its name beside the new card; empty if there is none.
    """
    if not os.path.lexists(old / CARD):
        return ""
    generated = _generated_card(old)
    with suppress(BundleError):
        if _lines(read_card(old)) == generated:
            return ""
    if _lines(read_card(new)) == generated:
        (new / CARD).unlink()
        _link(old / CARD, new / CARD)
        return ""
    kept = free_name(new / "README.old.md")
    _link(old / CARD, kept)
    return kept.name


def _generated_card(folder: Path) -> list[str]:
    """The lines of the card with which a bundle was written; empty if that is unknown."""
    try:
        return _lines(card(read_config(folder)))
    except (BundleError, KeyError, TypeError):  # the bundle is damaged, or an older version wrote it
        return []


def _lines(text: str) -> list[str]:
    """The lines in any order: that of the rows of tables is not the same in a configuration that was read."""
    return sorted(text.splitlines())


def _link(file: Path, place: Path) -> None:
    """Hard-link a file or folder to another place; the original stays, so that nothing can get lost."""
    if file.is_dir() and not file.is_symlink():
        shutil.copytree(file, place, symlinks=True, copy_function=_link_or_copy)
    else:
        _link_or_copy(file, place)


def _link_or_copy(file: str | Path, place: str | Path) -> None:
    """Hard-link a file, or copy it: some file systems have no links, and those of other users may be refused.

    Raises:
        ZooError: neither is possible.
    """
    try:
        os.link(file, place, follow_symlinks=False)
    except OSError:
        try:
            shutil.copy2(file, place, follow_symlinks=False)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            what = f"cannot be copied into the new bundle: {reason}"
            hint = "free some disk space, or move it out of the folder of the bundle"
            raise ZooError(Problem(what, str(file), hint)) from error
