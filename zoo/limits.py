"""Size limits of all kinds of input files.

A small file can request a lot of memory: a sparse file can have any size, and the header of a weights file
can name tensors of any shape. Sizes are therefore checked before memory is allocated. MIDI files have limits
of their own, see `zoo.music.guard.Limits`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal

from zoo.errors import Problem

KIB, MIB, GIB = 2**10, 2**20, 2**30

InputKind = Literal[
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
    "claim",
    "journal",
    "votes",
    "families",
    "table",
    "checksums",
    "download",
]

LIMITS: dict[InputKind, int] = {
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
    "menu": 256 * KIB,
    "code": 16 * MIB,
    "study": 256 * KIB,
    "claim": MIB,
    "journal": 256 * MIB,
    "votes": 32 * MIB,
    "families": 16 * MIB,
    "table": GIB,
    "checksums": 64 * KIB,
    "download": 64 * GIB,
}
"""Maximum size in bytes, by kind of file."""

HEADER = 64 * MIB
"""Maximum size of the header of a weights file in bytes."""

DOTS = 100
"""Maximum number of dots in a line of TOML: tomllib takes time that grows with the square of their number."""
RECIPE = 2**16
"""Maximum number of characters of a recipe in one text, for the same reason."""
GENERATED = 2**20
"""Maximum number of frames to generate at once, over all pieces; each takes about 2 kB of memory."""
RATINGS, RATED_PIECES, RATED_MODELS = 100_000, 100, 1_000
"""Maximum number of ratings that are counted at once, of pieces in a group, and of models: each piece of a
group is compared with each other one."""
COLDEST, HOTTEST = 1e-8, 1e8
"""Range of temperatures: below it numbers overflow, above it all outcomes are equally likely."""


def too_much_music(frames: int, count: int) -> list[Problem]:
    """The problem with generating more frames than `GENERATED` at once; empty if there is none."""
    if frames * count <= GENERATED:
        return []
    what = f"{count:,} times {frames:,} frames are {frames * count:,}; the maximum is {GENERATED:,}"
    return [Problem(what, "frames", "generate fewer at a time, each time with another seed")]


def read_bytes(path: Path, kind: InputKind, most: int | None = None) -> bytes:
    """Read a regular file within the size limit of its kind.

    Args:
        path: the file.
        kind: the kind of file.
        most: a lower limit in bytes.

    Raises:
        OSError: the file cannot be read, is not a regular file, or is too large; see its `strerror`.
    """
    with _opened(path, kind, LIMITS[kind] if most is None else min(most, LIMITS[kind])) as (file, size):
        return file.read(size)


def read_text(path: Path, kind: InputKind) -> str:
    """Read a UTF-8 text file within the size limit of its kind; a byte order mark is skipped.

    Raises:
        OSError: as `read_bytes`, or the file is UTF-16, as some editors on Windows save it.
        UnicodeDecodeError: the file is not UTF-8.
    """
    content = read_bytes(path, kind)
    if is_utf_16(content):
        raise OSError(errno.EILSEQ, UTF_16, str(path))
    return content.decode("utf-8-sig")


def parse_json(content: bytes) -> Any:
    """Parse JSON whose numbers are finite and whose text is valid Unicode.

    Raises:
        ValueError: the content is something else, or is nested too deeply.
    """
    try:
        value = json.loads(content)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("values are nested too deeply") from None
    return value


def read_toml(path: Path, kind: InputKind) -> dict[str, Any]:
    """Read a TOML file within the size limit of its kind.

    Raises:
        OSError: as `read_text`.
        ValueError: as `parse_toml`, or the file is not UTF-8.
    """
    return parse_toml(read_text(path, kind))


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML in seconds at most.

    Raises:
        ValueError: the text is not TOML, is nested too deeply, or has a line with more than `DOTS` dots or an
            integer that Python does not print.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > DOTS:
            raise ValueError(f"line {number} has more than {DOTS} dots")
    try:
        content = tomllib.loads(text)
        repr(content)
    except RecursionError:
        raise ValueError("values are nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        raise ValueError("an integer has thousands of digits") from None
    return content


UTF_16 = "the text is UTF-16, save it as UTF-8"


def is_utf_16(content: bytes) -> bool:
    """Whether a text begins with the byte order mark of UTF-16."""
    return content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))


def sha256_of(path: Path, kind: InputKind) -> str:
    """The sha256 of a file, read in blocks; raises the same errors as `read_bytes`."""
    with _opened(path, kind, LIMITS[kind]) as (file, _):
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, kind: InputKind) -> None:
    """Check a file that another library opens by its path; raises the same errors as `read_bytes`.

    Opening a named pipe would block, and safetensors could not even be interrupted.
    """
    with _opened(path, kind, LIMITS[kind]):
        pass


@contextmanager
def _opened(path: Path, kind: InputKind, limit: int) -> Iterator[tuple[BufferedReader, int]]:
    """Open a regular file within its size limit; yields the file and its size."""
    # Without O_NONBLOCK, opening a named pipe would block until a writer opens it.
    # Without O_BINARY, Windows would convert line endings and stop at the first byte 26.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > limit:
            raise OSError(errno.EFBIG, _too_large(status.st_size, kind, limit), str(path))
        yield file, status.st_size


def _too_large(size: int, kind: InputKind, limit: int) -> str:
    return f"the file has {format_bytes(size)}; the limit for a {kind} file is {format_bytes(limit)}"


def format_bytes(size: int) -> str:
    """Format a number of bytes: 12 bytes, 3.5 MiB."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"
