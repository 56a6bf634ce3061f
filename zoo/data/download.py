"""Fetching a published file once, whole and checked, and knowing it again.

A file goes into the cache folder under a temporary name and is renamed when it is all there and its
checksum is right. Where its publisher names no checksum, the one of the first download is written beside
it, and every later use is held to that.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.data.store import cache_folder
from zoo.data.writing import HINT, Progress
from zoo.errors import DataError, Problem
from zoo.files import new_file, sweep, write_file, writing

TIMEOUT = 30
"""Seconds without an answer after which a server counts as gone."""
CHUNK = 2**16
TIMES = 4
"""How many times its known size a file may have before its download is stopped."""


@dataclass(frozen=True)
class Remote:
    """A file that can be fetched.

    Attributes:
        name: of the corpus, as `data=` takes it.
        url: where it lies.
        file: what it is called here.
        bytes: its size; where the server tells another one, that counts.
        licence: its terms, told before it is fetched.
        sha256: its checksum as published, or None to hold it to that of the first download.
        is_whole: whether a file can be one like it: neither cut off nor a page of excuses.
    """

    name: str
    url: str
    file: str
    bytes: int
    licence: str
    sha256: str | None
    is_whole: Callable[[Path], bool]

    @property
    def place(self) -> Path:
        """Where it lies on this machine, once it has been fetched."""
        return cache_folder().parent / "downloads" / self.file

    @property
    def pin(self) -> Path:
        """The checksum of the first download, in the layout of `sha256sum`."""
        return self.place.with_name(f"{self.file}.sha256")


def fetched(remote: Remote, progress: Progress | None = None) -> str:
    """Have the file at its place, from the network if it is not there; its sha256.

    Raises:
        DataError: it cannot be fetched, or what is there is not what it should be; nothing that lay
            there before is removed.
        ZooError: it cannot be written.
    """
    if not remote.place.exists():
        _fetch(remote, progress)
    digest = _digest(remote.place)
    expected = remote.sha256 or _pinned(remote)
    if expected is None:
        _check_whole(remote, remote.place)
        write_file(remote.pin, f"{digest}  {remote.file}\n")
    elif digest != expected:
        source = "its publisher names" if remote.sha256 else "it had when it was first used"
        hint = "move it elsewhere to have it downloaded again"
        if not remote.sha256:
            hint += f"; if you replaced it yourself, remove {remote.pin.name} beside it"
        raise DataError(
            Problem(f"this file has not the checksum that {source} ({expected})", str(remote.place), hint)
        )
    return digest


def _fetch(remote: Remote, progress: Progress | None) -> None:
    from filelock import FileLock

    folder = remote.place.parent
    with writing(folder, HINT):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if remote.place.exists():  # someone else was fetching it
            return
        sweep(folder)
        with new_file(remote.place, HINT) as part:
            _download(remote, part, progress)
            digest = _digest(part)
            if remote.sha256 and digest != remote.sha256:
                what = f"what came has the checksum {digest}, not {remote.sha256} as published"
                raise DataError(
                    Problem(f"{what}; it was not kept", remote.url, _by_hand(remote, "try again"))
                )
            _check_whole(remote, part)
    print(f"{remote.name}: sha256 {digest}", file=sys.stderr)


def _download(remote: Remote, part: Path, progress: Progress | None) -> None:
    try:
        from pooch import HTTPDownloader
        from requests import RequestException
        from requests.exceptions import ChunkedEncodingError, HTTPError
    except ImportError as error:
        hint = "pip install 'polyzoo[data]', or name a folder of MIDI files"
        raise DataError(Problem("downloading needs pooch, which is missing", remote.name, hint)) from error
    size = f"{remote.bytes / 1e6:.1f} MB"
    print(f"{remote.name}: downloading about {size} from {remote.url}", file=sys.stderr)
    print(f"{remote.name}: {remote.licence}; kept at {remote.place}", file=sys.stderr)
    fetch = HTTPDownloader(_Bar(remote.bytes, progress), chunk_size=CHUNK, timeout=TIMEOUT)
    try:
        fetch(remote.url, str(part), None)
    except _TooLarge as error:
        raise _failed(remote, f"what comes is more than {TIMES} times as large as it should be") from error
    except HTTPError as error:
        answer = error.response
        what = f"{answer.status_code} {answer.reason}" if answer is not None else "an error"
        raise _failed(remote, f"the server answers {what}") from error
    except RequestException as error:
        broke = isinstance(error, ChunkedEncodingError) or part.stat().st_size > 0
        raise _failed(remote, "the connection broke off" if broke else "there is no connection") from error


class _TooLarge(Exception):
    """More came than the file can have; without an end it would fill the disk."""


class _Bar:
    """What pooch tells, chunk by chunk, how many bytes came."""

    def __init__(self, size: int, progress: Progress | None) -> None:
        self.total, self.size = 0, size
        self.done, self.progress = 0, progress

    def update(self, count: int) -> None:
        self.done += count
        if self.done > TIMES * self.size + CHUNK:  # the last chunk counts as a whole one
            raise _TooLarge
        total = self.total or max(self.size, self.done)
        if self.progress is not None:
            self.progress(min(self.done, total), total)

    def reset(self, *_: Any) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing to close: who shows the bar takes it away."""


def _check_whole(remote: Remote, file: Path) -> None:
    if not remote.is_whole(file):
        what = "the file is cut off or something else than it should be"
        where = remote.name if file != remote.place else str(file)
        raise DataError(Problem(what, where, _by_hand(remote, "remove it and try again")))


def _failed(remote: Remote, what: str) -> DataError:
    return DataError(Problem(f"cannot be downloaded: {what}", remote.name, _by_hand(remote, "try again")))


def _by_hand(remote: Remote, first: str) -> str:
    return f"{first}, or fetch {remote.url} by hand and put it at {remote.place}"


def _digest(file: Path) -> str:
    import hashlib

    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(Problem(f"cannot be read: {reason}", str(file), "check its rights")) from error


def _pinned(remote: Remote) -> str | None:
    """The checksum of the first download; None only where there was none yet."""
    try:
        words = remote.pin.read_text("utf-8").split()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        words = []
    if not words or not re.fullmatch("[0-9a-f]{64}", words[0]):
        hint = f"check its rights; or remove it to accept {remote.file} as it is now"
        raise DataError(Problem("no checksum can be read in it", str(remote.pin), hint))
    return words[0]
