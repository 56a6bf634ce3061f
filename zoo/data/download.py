"""Download a published file once, and verify its checksum on every use.

A file is downloaded under a temporary name in the cache folder and renamed when it is complete and its
checksum is correct. If the publisher states no checksum, that of the first download is stored next to the
file, and every later use is compared with it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.data.store import cache_folder
from zoo.data.writing import HINT
from zoo.errors import DataError, Problem
from zoo.files import new_file, sweep, write_file, writing
from zoo.limits import check_file, read_text
from zoo.progress import Progress

TIMEOUT = 30
"""Seconds without a response after which the connection is given up."""
CHUNK = 2**16
MAX_SIZE_RATIO = 4
"""A download is stopped when it exceeds the expected size by this factor."""


@dataclass(frozen=True)
class Remote:
    """A file that can be downloaded.

    Attributes:
        name: name of the corpus, as in `data=`.
        url: address of the file.
        file: name of the local file.
        bytes: expected size; the size stated by the server takes precedence.
        licence: its terms, printed before the download.
        sha256: the published checksum, or None to compare with that of the first download.
        is_complete: checks that a file is complete and has the right format, unlike a truncated download or
            an error page.
    """

    name: str
    url: str
    file: str
    bytes: int
    licence: str
    sha256: str | None
    is_complete: Callable[[Path], bool]

    @property
    def path(self) -> Path:
        """The local file, whether downloaded or not."""
        return cache_folder().parent / "downloads" / self.file

    @property
    def pin(self) -> Path:
        """The file with the checksum of the first download, in the format of `sha256sum`."""
        return self.path.with_name(f"{self.file}.sha256")


def fetch(remote: Remote, progress: Progress | None = None) -> str:
    """Download a file unless it exists locally, verify its checksum, and return its SHA-256.

    Raises:
        DataError: the file cannot be downloaded, or its checksum or format is wrong; an existing local file
            is never removed.
        ZooError: the file cannot be written.
    """
    if not remote.path.exists():
        _fetch(remote, progress)
    digest = _digest(remote.path)
    expected = remote.sha256 or _pinned(remote)
    if expected is None:
        _check_complete(remote, remote.path)
        write_file(remote.pin, f"{digest}  {remote.file}\n")
    elif digest != expected:
        origin = "published" if remote.sha256 else "recorded at its first use"
        hint = "move or delete the file to download it again"
        if not remote.sha256:
            hint += f"; if you replaced it yourself, remove {remote.pin.name} next to it"
        what = f"the checksum of this file differs from the one {origin} ({expected})"
        raise DataError(Problem(what, str(remote.path), hint))
    return digest


def _fetch(remote: Remote, progress: Progress | None) -> None:
    from filelock import FileLock

    folder = remote.path.parent
    with writing(folder, HINT):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if remote.path.exists():  # another process downloaded it while this one waited for the lock
            return
        sweep(folder)
        with new_file(remote.path, HINT) as temporary:
            _download(remote, temporary, progress)
            digest = _digest(temporary)
            if remote.sha256 and digest != remote.sha256:
                what = f"the downloaded file has the checksum {digest}, not {remote.sha256} as published"
                raise DataError(
                    Problem(f"{what}; it was discarded", remote.url, _manual_download(remote, "try again"))
                )
            _check_complete(remote, temporary)
    print(f"{remote.name}: sha256 {digest}", file=sys.stderr)


def _download(remote: Remote, temporary: Path, progress: Progress | None) -> None:
    try:
        from pooch import HTTPDownloader
        from requests import RequestException
        from requests.exceptions import ChunkedEncodingError, HTTPError
    except ImportError as error:
        hint = "pip install 'polyzoo[data]', or use a folder of MIDI files"
        raise DataError(
            Problem("downloading needs pooch, which is not installed", remote.name, hint)
        ) from error
    size = f"{remote.bytes / 1e6:.1f} MB"
    print(f"{remote.name}: downloading about {size} from {remote.url}", file=sys.stderr)
    print(f"{remote.name}: {remote.licence}; saved to {remote.path}", file=sys.stderr)
    downloader = HTTPDownloader(_ProgressBar(remote.bytes, progress), chunk_size=CHUNK, timeout=TIMEOUT)
    try:
        downloader(remote.url, str(temporary), None)
    except _TooLarge as error:
        raise _failed(
            remote, f"the download is more than {MAX_SIZE_RATIO} times the expected size"
        ) from error
    except HTTPError as error:
        response = error.response
        status = f"{response.status_code} {response.reason}" if response is not None else "an error"
        raise _failed(remote, f"the server responded with {status}") from error
    except RequestException as error:
        interrupted = isinstance(error, ChunkedEncodingError) or temporary.stat().st_size > 0
        what = "the connection was interrupted" if interrupted else "the server cannot be reached"
        raise _failed(remote, what) from error


class _TooLarge(Exception):
    """The download exceeds the expected size; an endless response would fill the disk."""


class _ProgressBar:
    """The interface of tqdm as far as pooch uses it; pooch sets `total` and calls the methods."""

    def __init__(self, size: int, progress: Progress | None) -> None:
        self.total, self.size = 0, size
        self.done, self.progress = 0, progress

    def update(self, count: int) -> None:
        self.done += count
        if self.done > MAX_SIZE_RATIO * self.size + CHUNK:  # pooch reports the last chunk as a full one
            raise _TooLarge
        total = self.total or max(self.size, self.done)
        if self.progress is not None:
            self.progress(min(self.done, total), total)

    def reset(self, *_: Any) -> None:
        self.done = 0

    def close(self) -> None:
        """Do nothing; the caller closes the bar that it shows."""


def _check_complete(remote: Remote, file: Path) -> None:
    if not remote.is_complete(file):
        what = "the file is truncated or has the wrong format"
        where = remote.name if file != remote.path else str(file)
        raise DataError(Problem(what, where, _manual_download(remote, "remove it and try again")))


def _failed(remote: Remote, what: str) -> DataError:
    return DataError(
        Problem(f"cannot be downloaded: {what}", remote.name, _manual_download(remote, "try again"))
    )


def _manual_download(remote: Remote, first: str) -> str:
    return f"{first}, or download {remote.url} manually and save it to {remote.path}"


def _digest(file: Path) -> str:
    import hashlib

    try:
        check_file(file, "download")
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(
            Problem(f"cannot be read: {reason}", str(file), "check the file's permissions")
        ) from error


def _pinned(remote: Remote) -> str | None:
    """The checksum of the first download; None if there is none yet."""
    try:
        words = read_text(remote.pin, "checksums").split()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        words = []
    if not words or not re.fullmatch("[0-9a-f]{64}", words[0]):
        hint = f"check the file's permissions, or remove it to accept {remote.file} as it is now"
        raise DataError(Problem("this file contains no readable checksum", str(remote.pin), hint))
    return words[0]
