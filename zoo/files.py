"""Write files and folders atomically: a reader never sees a partial file, even if the writer is killed.

Everything is written under a temporary name in the same folder, flushed to disk, and then renamed. If the
disk is full, the old file is unchanged and the error says so.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import chain, count
from pathlib import Path

from zoo.errors import Problem, ZooError

UNFINISHED = ".part"
"""Suffix of temporary names; `sweep` removes those that a killed writer left behind."""
IN_USE = (5, 32)
"""Codes of Windows for a file that another process has open, such as a reader or a virus scanner."""
SPECIAL = "is a pipe or a device, not a file"
HINT = "free some disk space or choose another path; existing files are unchanged"


def real_path(path: str | Path) -> Path:
    """The path without symbolic links; a link that leads to itself remains, and cannot be opened."""
    # `Path.resolve` raises a RuntimeError for such a link in Python < 3.13.
    return Path(os.path.realpath(path))


def expanded(path: str | Path) -> Path:
    """A path with `~` and `~USER` expanded, unless there is no such user."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def encodable(name: str) -> str:
    """The name of a file as text that can be stored: bytes that are not UTF-8 are written out."""
    return name.encode("utf-8", "backslashreplace").decode()


def is_special(path: str | Path) -> bool:
    """Whether a path is of a pipe, a device or a socket, such as /dev/null."""
    with suppress(OSError):
        return not stat.S_ISREG(mode := Path(path).stat().st_mode) and not stat.S_ISDIR(mode)
    return False


def is_plain(path: Path) -> bool:
    """Whether a path is of a file, not of a link, a folder, a pipe or a device."""
    with suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def free_name(path: Path) -> Path:
    """The path, or if something is there, the first free one of NAME-2, NAME-3 and so on."""
    names = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return next(name for name in chain((path,), names) if not os.path.lexists(name))


@contextmanager
def new_file(
    path: str | Path, hint: str = HINT, on_taken: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Yield a temporary path to write to; it replaces `path` if the block ends without an error.

    A link is replaced, not followed: in a folder from someone else, it may point to any file of the user.

    Args:
        path: the file.
        hint: what to do if it cannot be written.
        on_taken: if given, nothing is replaced: if there is something at the path when the block ends, the
            file gets a free name, with which this is called.

    Raises:
        ZooError: the disk is full, the folder is missing or not writable, or the path is of a folder, a pipe
            or a device, which a file would replace.
    """
    place = _at_own_name(path)
    if is_special(place):
        raise ZooError(Problem(SPECIAL, str(path), "choose another path"))
    with writing(path, hint):
        if place.is_dir():
            raise ZooError(Problem("is a folder, not a file", str(path), "choose another path"))
    part = _part(place)
    try:
        with writing(path, hint):
            yield part
            flush(part)
            if on_taken is None:
                _keep_mode(place, part)
                _move(part, place)
            elif (free := _move_to_free(part, place)) != place:
                on_taken(Path(path).with_name(free.name))
            flush(place.parent)
    finally:
        _remove(part)


def write_file(path: str | Path, content: bytes | str) -> None:
    """Write a file atomically; see `new_file`."""
    with new_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_files(
    contents: Iterable[tuple[Path, bytes]], on_taken: Callable[[Path, Path], None] | None = None
) -> None:
    """Write several files, all or none: no file is replaced before all are on the disk; see `new_file`.

    Args:
        contents: the path and the content of each file; only one content at a time is kept in memory.
        on_taken: called with a path and the free name that the file gets instead, as in `new_file`.
    """
    with ExitStack() as parts:
        for path, content in contents:
            taken = on_taken and partial(on_taken, path)
            part = parts.enter_context(new_file(path, on_taken=taken))
            part.write_bytes(content)
            flush(part)


@contextmanager
def new_folder(path: str | Path, hint: str = HINT, own: Collection[str] | None = None) -> Iterator[Path]:
    """Yield an empty temporary folder to fill; it replaces `path` if the block ends without an error.

    An existing folder is removed, so check first whether it may be; of a link only the link is, unless the
    folder has files that remain. If several processes write the same folder, that of the last one remains.

    Args:
        path: the folder.
        hint: what to do if it cannot be written.
        own: names of the files that are replaced or removed. The block links all others from an existing
            folder to the new one; those that are saved there later are moved. None if there are no others.

    Raises:
        ZooError: the disk is full, the parent folder is missing or not writable, or the path is a link to a
            folder that does not exist.
    """
    place = _at_own_name(path) if own is None else real_path(path)
    with writing(path, hint):
        if own is not None and Path(path).is_symlink() and not place.exists():
            what = f"is a link to a folder that does not exist: {place}"
            raise ZooError(Problem(what, str(path), "create the folder, or choose another path"))
    part = _part(place)
    try:
        with writing(path, hint):
            part.mkdir()
            yield part
            for child in part.iterdir():
                if not child.is_symlink() and not is_special(child):
                    _keep_mode(place / child.name, child)
                    _flush_all(child)
            _keep_mode(place, part)
            flush(part)
            _swap(part, place)
            if own is not None and part.is_dir():
                _move_missing(part, place, own)
            flush(place.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        _remove(part)  # of a link that was replaced


def unfinished(folder: str | Path) -> Iterator[Path]:
    """What writers have under temporary names in a folder; `.song.mp3.part` is of another program."""
    return Path(folder).glob(f".*.{'[0-9a-f]' * 8}{UNFINISHED}")


def sweep(folder: str | Path) -> None:
    """Remove the temporary files of killed writers from a folder that no other process is writing to."""
    for part in unfinished(folder):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            _remove(part)


def _remove(part: Path) -> None:
    """Remove a temporary file if possible; the folder may have become read-only or been deleted."""
    with suppress(OSError):
        part.unlink()


def _at_own_name(path: str | Path) -> Path:
    """The path without symbolic links in its folder; a link at the path itself is not followed."""
    return real_path(Path(path).parent) / Path(path).name


def _part(place: Path) -> Path:
    # A name has at most 255 bytes, of which a character may take four.
    return place.with_name(f".{place.name[:50]}.{uuid.uuid4().hex[:8]}{UNFINISHED}")


@contextmanager
def writing(path: str | Path, hint: str = HINT) -> Iterator[None]:
    """Convert an OSError in the block to a ZooError with a hint."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        raise ZooError(
            Problem(f"cannot be written: {reason}{_file(error, path)}", str(path), hint)
        ) from error


def _file(error: OSError, path: str | Path) -> str:
    """The file of an OSError as `: FILE`; empty if it is the file to be written."""
    name = error.filename2 or error.filename  # of a copy or a move, the second is the one to be written
    file = os.fsdecode(name) if isinstance(name, str | bytes | Path) else ""
    same = not file or UNFINISHED in file or real_path(file) == real_path(path)
    return "" if same else f": {file}"


def flush(path: Path) -> None:
    """Flush the content of a file, or the entries of a folder, to disk.

    Windows flushes files that are open for writing, and cannot open folders. What may only be read was not
    written just now.
    """
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_all(path: Path) -> None:
    """Flush a file, or a folder and everything in it, to disk."""
    for child in path.iterdir() if path.is_dir() else ():
        if not child.is_symlink() and not is_special(child):
            _flush_all(child)
    flush(path)


def _move(part: Path, place: Path, tries: int = 20) -> None:
    """Rename a file or folder; waits up to a second while another process has it open on Windows."""
    try:
        part.replace(place)
    except PermissionError as error:
        if tries == 0 or getattr(error, "winerror", None) not in IN_USE:
            raise
        time.sleep(0.05)
        _move(part, place, tries - 1)


def _move_to_free(part: Path, place: Path) -> Path:
    """Move a file to `place`, or to a free name if something is there; returns where it is now."""
    free = place
    while True:
        try:
            os.link(part, free)
            return free
        except FileExistsError:
            free = free_name(place)
        except OSError:  # the file system has no hard links, without which another writer may come between
            _move(part, free := free_name(place))
            return free


def _keep_mode(old: Path, new: Path) -> None:
    """Give a new file or folder the permissions of the one that it replaces, which may be private.

    The owner can always read and write it, as the writer must.
    """
    with suppress(OSError):
        mode = old.lstat().st_mode
        if not stat.S_ISLNK(mode):
            new.chmod(stat.S_IMODE(mode) | (new.stat().st_mode & stat.S_IRWXU))


def _swap(part: Path, place: Path) -> None:
    """Move a folder to `place`; an existing folder there ends up under the temporary name."""
    if not place.exists():
        with suppress(OSError):  # another process may have created it in the meantime
            _move(part, place)
            return
    if not _exchange(part, place):
        # Without an atomic exchange there is a moment in which neither folder is in place.
        aside = _part(place)
        _move(place, aside)
        try:
            _move(part, place)
        except OSError:
            _move(aside, place)
            raise
        _move(aside, part)


def _move_missing(old: Path, new: Path, own: Collection[str] = ()) -> None:
    """Move files that were saved into the old folder after the others had been linked to the new one."""
    for child in old.iterdir():
        linked = new / child.name
        if child.name in own:
            continue
        if _is_folder(child) and _is_folder(linked):
            _move_missing(child, linked)
        elif not os.path.lexists(linked) or not os.path.samestat(child.lstat(), linked.lstat()):
            _move(child, linked)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _exchange(path: Path, other: Path) -> bool:
    """Exchange two paths atomically; False if the system does not support it (only Linux does)."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(cwd, os.fsencode(path), cwd, os.fsencode(other), exchange) == 0
