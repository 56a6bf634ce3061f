"""Existing files are overwritten only with --force."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from zoo.errors import Problem, UsageError
from zoo.files import SPECIAL, is_special, real_path, write_files
from zoo.model.hub import is_on_hub
from zoo.model.pretrained import check_not_of_run
from zoo.model.sealed import CARD, is_bundle_place

force_option = click.option("--force", is_flag=True, help="Overwrite existing files.")


def would_be_lost(paths: Iterable[Path | None], force: bool) -> list[Problem]:
    """A problem for each file or bundle that exists, unless `force` allows to overwrite it.

    Pipes and devices are never overwritten.
    """
    given = [path for path in paths if path]
    special = [Problem(SPECIAL, str(path), "choose another path") for path in given if is_special(path)]
    lost = [path for path in given if path.is_file() or _dangles(path) or is_bundle_place(path)]
    hint = "choose another path, or add --force to overwrite it"
    return special if force else [*special, *(Problem("already exists", str(path), hint) for path in lost)]


def _dangles(path: Path) -> bool:
    """Whether a path is a link to nothing."""
    return path.is_symlink() and not path.exists()


def write_outputs(contents: Iterable[tuple[Path, bytes]], force: bool) -> dict[Path, Path]:
    """Write files, all or none.

    If a file has appeared at a path since the work began, it is not replaced unless `force` allows it: what
    was computed for an hour gets a free name instead, with a note.

    Returns:
        path -> free name, of the files that got one.
    """
    from zoo.cli.console import stderr

    taken: dict[Path, Path] = {}
    write_files(contents, None if force else taken.__setitem__)
    for path, free in taken.items():
        stderr.print_line(f"note: {path} was written by another program meanwhile; this is {free}")
    return taken


def keep_what_is_there(path: Path | None, force: bool) -> None:
    """Check before any work that no bundle would be overwritten, and that there is a folder for a new one.

    Raises:
        UsageError: a bundle would be overwritten, or the path is the current folder, or the bundle of a
                run or a search.
    """
    if path:
        check_not_of_run(path)
    if problems := would_be_lost([path], force):
        raise UsageError(*problems)
    if path and not is_bundle_place(path):
        check_own_folder(path, "bundle")


def check_own_folder(path: Path, what: str) -> None:
    """Refuse the current folder, which `-o .` and `-o ""` name, the root folder, and `hf:USER/NAME`.

    Args:
        path: the folder that is to be written.
        what: what is to be written there: `run` or `bundle`.

    Raises:
        UsageError: it is one of these folders.
    """
    if is_on_hub(path):
        problem = "names that begin with `hf:` are bundles on the Hub, not folders"
        raise UsageError(Problem(problem, f"-o {path}", f"name a folder, such as -o my_{what}"))
    folder = real_path(path)
    if folder in (Path.cwd(), Path(folder.anchor)):
        name = "the current folder" if folder == Path.cwd() else "the root folder"
        hint = f"name a folder that is not there yet, such as -o my_{what}"
        raise UsageError(Problem(f"a {what} needs a folder of its own, not {name}", f"-o {path}", hint))


def note_kept_card(kept: Path | None) -> None:
    """Note where the edited model card of a bundle is that was replaced, as `save_bundle` returns it."""
    from zoo.cli.console import stderr, visible

    if kept:
        what = f"note: {kept.parent / CARD} was not the generated one; its text is now {kept.name}"
        stderr.print(visible(what), soft_wrap=True)
