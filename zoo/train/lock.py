"""The lock of a run folder: only one process can train in it, and others get an error that names the process.

This module does not import torch, so that the error is immediate.
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
from zoo.files import sweep, write_file, writing
from zoo.limits import read_bytes
from zoo.model.pretrained import RECIPE

LOCK, HOLDER = "lock", "holder.json"
PATIENCE = 0.3
"""Seconds to wait for the lock; enough for its holder to write its process id."""
_held: dict[Path, tuple[os.stat_result, bytes]] = {}
"""The folders that this process has locked, with the identity of the lock and the content of `HOLDER`."""


@contextmanager
def lock_folder(
    folder: str | Path,
    activity: str = "is training here",
    patience: float = PATIENCE,
    *,
    plan: str = RECIPE,
    what: str = "run",
) -> Iterator[Path]:
    """Lock a run folder against other processes inside the block; the folder is created if missing.

    If no run was started in the block, the folder is removed again. The lock is on the folder, not on its
    name: see `check_held`.

    Args:
        folder: a folder that is missing, empty, or contains a run.
        activity: what the error message says about the process that holds the lock.
        patience: seconds to wait for the lock; negative to wait forever.
        plan: the file that the folder contains once its work was started.
        what: what the folder is for, in error messages: `run` or `search`.

    Raises:
        UsageError: another process holds the lock, or the folder contains links, or something other than a
            run.
        ZooError: the folder cannot be created.
    """
    place = Path(folder)
    _check_folder(place, plan, what)
    refuse_links(place)
    lock = _acquire(place, activity, patience)
    try:
        with writing(place / LOCK):
            _held[place] = (place / LOCK).stat(), f"{json.dumps(_describe_process())}\n".encode()
        sweep(place)
        write_file(place / HOLDER, _held[place][1])
        yield place
    finally:
        with suppress(OSError):  # the folder may have become read-only or been deleted
            if place in _held and _is_held(place):
                (place / HOLDER).unlink(missing_ok=True)
                if not (place / plan).exists():
                    _remove(place, lock)
        _held.pop(place, None)
        lock.release()


def check_held(folder: Path) -> None:
    """Check, before something is written to a folder that is locked, that it is still the same folder.

    If its folder is moved while a process trains, and another one takes its name, what the process writes
    would destroy the run there. Windows moves no folder with an open file, such as the lock.

    Raises:
        ZooError: another folder has taken its place.
    """
    with writing(folder):
        is_held = folder not in _held or _is_held(folder)
    if not is_held:
        what = "was moved, and another folder has taken its name; nothing is written there"
        hint = "stop what moves folders, and resume in the folder that was moved"
        raise ZooError(Problem(what, str(folder), hint))


def _is_held(place: Path) -> bool:
    """Whether a folder is the one that this process has locked, or there is none."""
    identity, holder = _held[place]
    with suppress(FileNotFoundError, NotADirectoryError):
        if os.path.samestat((place / LOCK).stat(), identity):
            return True
    # The lock may have been removed, and some network drives give it another number when they reconnect.
    with suppress(FileNotFoundError, NotADirectoryError):
        return read_bytes(place / HOLDER, "checksums") == holder
    return not place.exists()


def _remove(place: Path, lock: FileLock) -> None:
    """Remove a folder in which no run was started."""
    try:
        # A process that waits for this lock file notices that it was unlinked, and opens a new one.
        (place / LOCK).unlink(missing_ok=True)
    except PermissionError:
        # Windows removes no open file; if another process has opened the file since, the folder stays.
        lock.release()
        (place / LOCK).unlink(missing_ok=True)
    place.rmdir()


def is_locked(folder: Path) -> bool:
    """Whether a process is training in a run folder."""
    if not (folder / LOCK).is_file():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # without write permission the lock cannot be tried
        return (folder / HOLDER).is_file()


def _acquire(place: Path, activity: str, patience: float, tries: int = 20) -> FileLock:
    """Create the folder and acquire its lock."""
    lock = FileLock(place / LOCK)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience)
    except Timeout:
        what = f"{_describe_holder(place)} {activity}"
        hint = "wait for it to finish, or choose another folder"
        raise UsageError(Problem(what, str(place), hint)) from None
    except FileNotFoundError as error:
        # Another process that started no run removed the folder between `mkdir` and `acquire`.
        if tries:
            return _acquire(place, activity, patience, tries - 1)
        raise ZooError(Problem(f"cannot be created: {error.strerror}", str(place))) from error
    except OSError as error:
        raise ZooError(Problem(f"cannot be created: {error.strerror}", str(place))) from error
    return lock


def _check_folder(place: Path, plan: str, what: str) -> None:
    """Check that the folder is missing, empty, or contains its plan; hidden files do not matter."""
    if place.exists() and not place.is_dir():
        raise UsageError(Problem("is a file, not a folder", str(place), "choose a new folder"))
    own_files = {plan, LOCK, HOLDER}
    if place.exists() and not (place / plan).exists():
        other_files = [child.name for child in place.iterdir() if child.name not in own_files]
        visible = [name for name in other_files if not name.startswith(".")]
        if visible:
            problem = f"contains other files ({visible[0]}) and no {what}"
            raise UsageError(Problem(problem, str(place), "choose a new folder"))


def refuse_links(folder: Path) -> None:
    """Refuse a folder that contains links: a run that was sent could overwrite or delete other files by them.

    Raises:
        UsageError: there is one.
    """
    for child in folder.iterdir() if folder.is_dir() else ():
        refuse_link(child)


def refuse_link(path: Path, hint: str = "replace it by a copy of what it points to, or remove it") -> None:
    """Refuse a path that is a link, see `refuse_links`.

    Raises:
        UsageError: it is one.
    """
    if path.is_symlink():
        raise UsageError(
            Problem("is a link, so files in another place would be overwritten", str(path), hint)
        )


def _describe_process() -> dict[str, str | int]:
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _describe_holder(place: Path) -> str:
    try:
        holder = json.loads(read_bytes(place / HOLDER, "checksums"))
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']},"
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return "another process"
