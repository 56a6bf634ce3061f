"""How much of each kind of input is read before it is taken for a mistake or an attack: one table.

A file is a few bytes that may ask for any number of them: a sparse file has a size and no content, and the
header of a file of weights names shapes that nothing stands for. So sizes are looked at before memory is
taken.
MIDI files have limits of their own, `zoo.music.guard.Limits`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Literal

from zoo.errors import Problem

MIB, GIB = 2**20, 2**30

Kind = Literal[
    "manifest",
    "config",
    "card",
    "sample",
    "weights",
    "checkpoint",
    "plan",
    "metrics",
    "result",
    "pack",
    "menu",
    "code",
    "study",
]

LIMITS: dict[Kind, int] = {
    "manifest": MIB,
    "config": 16 * MIB,
    "card": 4 * MIB,
    "sample": 32 * MIB,
    "weights": 16 * GIB,
    "checkpoint": 64 * GIB,
    "plan": 16 * MIB,
    "metrics": 4 * GIB,
    "result": 256 * MIB,
    "pack": 4 * GIB,
    "menu": 4 * MIB,
    "code": 16 * MIB,
    "study": 16 * MIB,
}
"""Bytes of a file, by what it is."""

HEADER = 64 * MIB
"""Bytes of the header of a file of weights."""

GENERATED = 2**20
"""Frames of all pieces that are written side by side; each takes about 2 kB of memory."""
COLDEST, HOTTEST = 1e-8, 1e8
"""Temperatures: below, only the likeliest is drawn and numbers overflow; above, all is equally likely."""


def too_much_music(frames: int, count: int) -> list[Problem]:
    """The problem with asking for more frames, over all pieces, than are written at once; none if it fits."""
    if frames * count <= GENERATED:
        return []
    what = f"{count:,} times {frames:,} frames are {frames * count:,}, and {GENERATED:,} are the most"
    return [Problem(what, "frames", "write fewer at a time, each time with another seed")]


def read_bytes(path: Path, kind: Kind, most: int | None = None) -> bytes:
    """The content of a regular file that is no larger than its kind may be.

    Args:
        path: the file.
        kind: what it is.
        most: bytes, where fewer are known to be enough.

    Raises:
        OSError: it cannot be read, is no regular file, or is too large; its `strerror` says so in words.
    """
    with _opened(path, kind, LIMITS[kind] if most is None else min(most, LIMITS[kind])) as (file, size):
        return file.read(size)


def sha256_of(path: Path, kind: Kind) -> str:
    """The sha256 of a file, of which only a little is in memory at a time; refused as by `read_bytes`."""
    with _opened(path, kind, LIMITS[kind]) as (file, _):
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path, kind: Kind, limit: int) -> Iterator[tuple[BufferedReader, int]]:
    """A regular file within its limit, and its size."""
    # A pipe would be waited for without end.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "this is not a file", str(path))
        if status.st_size > limit:
            raise OSError(errno.EFBIG, _too_large(status.st_size, kind, limit), str(path))
        yield file, status.st_size


def _too_large(size: int, kind: Kind, limit: int) -> str:
    return f"it has {in_words(size)}, where {kind} may have {in_words(limit)}"


def in_words(size: int) -> str:
    """A number of bytes as people read it: 12 bytes, 3.5 MiB."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"
