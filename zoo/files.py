"""Writing so that a reader never meets half a file, whatever kills the writer.

Everything is written under a temporary name beside its place, flushed to the disk, and then renamed over
it. On a full disk the old file stays as it was, and the error says so in one line.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.errors import Problem, ZooError

UNFINISHED = ".part"
"""The end of the names of what is being written; `sweep` removes what a killed writer left."""
CURE = "make room or name another place; what was there before is untouched"


@contextmanager
def new_file(path: str | Path, cure: str = CURE) -> Iterator[Path]:
    """A name to write a file under; it takes the place of `path` when the block ends without an error.

    Raises:
        ZooError: the disk is full, or the folder is missing or may not be written.
    """
    place = Path(path).resolve()
    part = _part(place)
    try:
        with writing(path, cure):
            yield part
            flush(part)
            part.replace(place)
            flush(place.parent)
    finally:
        _remove(part)


def write_file(path: str | Path, content: bytes | str) -> None:
    """Write a whole file at once; see `new_file`."""
    with new_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def new_folder(path: str | Path, cure: str = CURE) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of `path` when the block ends without an error.

    The folder that was there is removed, so ask first whether it may be. Where several write it at
    once, the last one stays, whole.

    Raises:
        ZooError: the disk is full, or the folder above is missing or may not be written.
    """
    place = Path(path).resolve()
    part = _part(place)
    try:
        with writing(path, cure):
            part.mkdir()
            yield part
            for child in part.iterdir():
                flush(child)
            flush(part)
            _swap(part, place)
            flush(place.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sweep(folder: str | Path) -> None:
    """Remove what killed writers left unfinished in a folder that nobody else writes to now."""
    for part in Path(folder).glob(f".*{UNFINISHED}"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            _remove(part)


def _remove(part: Path) -> None:
    """Remove what was left unfinished, if it can be: a folder may have become read-only, or be gone."""
    with suppress(OSError):
        part.unlink()


def _part(place: Path) -> Path:
    return place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")


@contextmanager
def writing(path: str | Path, cure: str = CURE) -> Iterator[None]:
    """What the system says when it cannot write, as one problem with a cure."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error) or type(error).__name__).lower()
        raise ZooError(Problem(f"cannot be written: {why}{_of(error, path)}", str(path), cure)) from error


def _of(error: OSError, path: str | Path) -> str:
    """The file that the system speaks of, where it is another than the one to be written."""
    other = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | Path) else ""
    mine = not other or UNFINISHED in other or Path(other).resolve() == Path(path).resolve()
    return "" if mine else f": {other}"


def flush(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, have reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(part: Path, place: Path) -> None:
    """Put a folder in the place of another, which ends up under the name of the first."""
    if not place.exists():
        with suppress(OSError):  # another writer may have been faster
            part.rename(place)
            return
    if not _exchange(part, place):
        # Where the system cannot exchange two names there is a moment without either.
        aside = _part(place)
        place.rename(aside)
        try:
            part.rename(place)
        except OSError:
            aside.rename(place)
            raise
        aside.rename(part)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system has no such step (only Linux has)."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0
