"""MIDI files in a zip archive, read where they lie: nothing is unpacked, so nothing lands elsewhere."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from zoo.data.piece import Reading, Skipped
from zoo.data.split import Split
from zoo.errors import DataError, Problem
from zoo.music.guard import DEFAULT_LIMITS

MOST_MEMBERS = 50_000
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, csv.Error, OSError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, KeyError),
)
"""What `zipfile` and `csv` answer archives, members and tables with that are damaged or locked."""
BOUNDED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Packings that `zipfile` undoes no further than it is asked to; of others a small one fills the memory."""


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive with an end, as one that was cut off is not."""
    return zipfile.is_zipfile(path)


def read_archive(
    path: Path, members: str, tracks: Sequence[str], splits: str = ""
) -> Iterator[Reading | Skipped]:
    """The MIDI files in an archive whose names match, in the order of their names.

    Args:
        path: the archive.
        members: pattern that the whole name of a member matches; its group `title` names the piece.
        tracks: titles of the tracks to read; all where none is named.
        splits: the end of the name of a table (CSV) in the archive that says which split
            (train, validation or test) a file (midi_filename) is in; none if empty.

    Raises:
        DataError: the archive is damaged, or holds more than a set of pieces can.
    """
    from zoo.music.midi import examine_bytes

    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > MOST_MEMBERS:
                raise _damaged(path, f"the archive has more than {MOST_MEMBERS} files in it")
            split_of = _splits(archive, splits) if splits else {}
            for info in sorted(infos, key=lambda info: info.filename):
                match = re.fullmatch(members, info.filename)
                if match is None or info.is_dir():
                    continue
                title = match["title"]
                if ".." in PurePosixPath(info.filename).parts or info.filename.startswith("/"):
                    yield Skipped(title, "its name leads out of the archive")
                    continue
                try:
                    roll = examine_bytes(_bytes(archive, info), title, tracks=tracks).roll
                    yield Reading(title, roll, split=split_of.get(title))
                except DataError as error:
                    yield Skipped(title, "; ".join(problem.what for problem in error.problems))
                except DAMAGE as error:
                    yield Skipped(title, f"it cannot be unpacked: {error}")
    except DAMAGE as error:
        raise _damaged(path, f"the archive is damaged: {error}") from error


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """What is in a member, never more than a MIDI file may hold, whatever its header says."""
    if info.compress_type not in BOUNDED:
        raise ValueError("it is packed otherwise than stored or deflated")
    with archive.open(info) as member:
        data = member.read(DEFAULT_LIMITS.size + 1)
    if len(data) > DEFAULT_LIMITS.size:
        raise ValueError(f"it is larger than {DEFAULT_LIMITS.size // 2**20} MiB")
    return data


def _splits(archive: zipfile.ZipFile, ending: str) -> dict[str, Split]:
    table = next((info for info in archive.infolist() if info.filename.endswith(ending)), None)
    if table is None:
        return {}
    rows = csv.DictReader(io.StringIO(_bytes(archive, table).decode("utf-8")))
    names: dict[str, Split] = {"train": "train", "validation": "valid", "test": "test"}
    return {row["midi_filename"]: names[row["split"]] for row in rows}


def _damaged(path: Path, what: str) -> DataError:
    return DataError(Problem(what, str(path), "move it elsewhere to have it downloaded anew"))
