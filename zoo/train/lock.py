"""One process trains in a folder at a time, and the second learns at once who the first is.

Knows nothing of torch, whose import would make the second wait.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from zoo.errors import Problem, UsageError, ZooError
from zoo.files import sweep, write_file
from zoo.model.pretrained import RECIPE

LOCK, HOLDER = "lock", "holder.json"
PATIENCE = 0.3
"""Seconds within which a process that has locked the folder writes its process id."""


@contextmanager
def claimed(folder: str | Path, doing: str = "trains here", patience: float = PATIENCE) -> Iterator[Path]:
    """Lock a run folder against other processes inside the block; created if missing.

    A folder in which nothing was begun is removed again.

    Args:
        folder: any that is missing or holds a run.
        doing: what the error message says that the other process does.
        patience: seconds to wait for him; below 0 for as long as it takes.

    Raises:
        UsageError: another process trains there, or the folder contains something else than a run.
        ZooError: it cannot be made.
    """
    place = Path(folder)
    _refuse_strange(place)
    lock = _taken(place, doing, patience)
    try:
        sweep(place)
        write_file(place / HOLDER, json.dumps(_me()) + "\n")
        yield place
    finally:
        with suppress(OSError):  # the folder may have become read-only, or be gone
            (place / HOLDER).unlink(missing_ok=True)
            if not (place / RECIPE).exists():
                # A process that waits for the lock sees that it has no name any more, and opens the next.
                (place / LOCK).unlink(missing_ok=True)
                place.rmdir()
        lock.release()


def is_claimed(folder: Path) -> bool:
    """Whether a process trains in a run folder now; False where that cannot be found out."""
    if not (folder / LOCK).is_file():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that only others may write
        return (folder / HOLDER).is_file()


def _taken(place: Path, doing: str, patience: float, tries: int = 20) -> FileLock:
    """The lock of the folder, held."""
    lock = FileLock(place / LOCK)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience)
    except Timeout:
        what = f"{_holder(place)} {doing}"
        raise UsageError(Problem(what, str(place), "wait for it, or name another folder")) from None
    except FileNotFoundError as error:
        # Who had begun nothing there has just removed the folder between our two steps.
        if tries:
            return _taken(place, doing, patience, tries - 1)
        raise ZooError(Problem(f"cannot be made: {error.strerror}", str(place))) from error
    except OSError as error:
        raise ZooError(Problem(f"cannot be made: {error.strerror}", str(place))) from error
    return lock


def _refuse_strange(place: Path) -> None:
    if place.exists() and not place.is_dir():
        raise UsageError(Problem("is a file, not a folder", str(place), "name a new folder"))
    known = {RECIPE, LOCK, HOLDER}
    if place.exists() and not (place / RECIPE).exists():
        strange = [child.name for child in place.iterdir() if child.name not in known]
        if any(not name.startswith(".") for name in strange):
            what = f"holds other things ({strange[0]}) and no run"
            raise UsageError(Problem(what, str(place), "name a new folder"))


def _me() -> dict[str, str | int]:
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _holder(place: Path) -> str:
    try:
        held = json.loads((place / HOLDER).read_text())
        return f"process {held['pid']} on {held['host']}, since {held['since']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
