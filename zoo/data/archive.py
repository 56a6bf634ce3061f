"""MIDI files in a zip archive, read where they lie: nothing is unpacked, so nothing lands elsewhere."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from zoo.data.options import Options
from zoo.data.piece import Reading, Skipped, read_piece
from zoo.data.split import SPELLINGS, Split
from zoo.errors import DataError, Problem
from zoo.music.beats import Beats, read_beats
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


@dataclass(frozen=True)
class Members:
    """Which members of an archive are the pieces of a set, and what lies beside them.

    Attributes:
        pattern: what the whole name of a MIDI file matches; its group `title` names the piece.
        tracks: titles of the tracks to read; all where none is named.
        splits: the end of the name of a table (CSV) in the archive that says which split (train,
            validation or test) a file (midi_filename) is in; none if empty.
        beats: what the file of beats (`zoo.music.beats`) in the folder of each MIDI file is called; none
            if empty.
    """

    pattern: str
    tracks: tuple[str, ...] = ()
    splits: str = ""
    beats: str = ""


def read_archive(path: Path, members: Members, options: Options) -> Iterator[Reading | Skipped]:
    """The MIDI files in an archive that are the pieces of a set, in the order of their names.

    Raises:
        DataError: the archive is damaged, or holds more than a set of pieces can.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > MOST_MEMBERS:
                raise _damaged(path, f"the archive has more than {MOST_MEMBERS} files in it")
            split_of = _splits(archive, members.splits) if members.splits else {}
            for info in sorted(infos, key=lambda info: info.filename):
                match = re.fullmatch(members.pattern, info.filename)
                if match is not None and not info.is_dir():
                    title = match["title"]
                    yield _read(archive, info, title, members, options, split_of.get(title))
    except DAMAGE as error:
        raise _damaged(path, f"the archive is damaged: {error}") from error


def _read(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    title: str,
    members: Members,
    options: Options,
    split: Split | None,
) -> Reading | Skipped:
    from zoo.music.midi import examine_bytes

    if ".." in PurePosixPath(info.filename).parts or info.filename.startswith("/"):
        return Skipped(title, "its name leads out of the archive")
    try:
        data, beats = _bytes(archive, info), _beats(archive, info, members.beats)
        read = partial(examine_bytes, data, title, tracks=members.tracks, beats=beats)
        return read_piece(title, read, options, split)
    except DataError as error:
        return Skipped(title, "; ".join(problem.what for problem in error.problems))
    except DAMAGE as error:
        return Skipped(title, f"it cannot be unpacked: {error}")


def _beats(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Beats | None:
    """The beats beside a member; None where there are none."""
    if not name:
        return None
    beside = str(PurePosixPath(info.filename).with_name(name))
    try:
        member = archive.getinfo(beside)
    except KeyError:
        return None
    return read_beats(_bytes(archive, member), beside)


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
    split_of = {spelling: split for split, spellings in SPELLINGS.items() for spelling in spellings}
    return {row["midi_filename"]: split_of[row["split"]] for row in rows}


def _damaged(path: Path, what: str) -> DataError:
    return DataError(Problem(what, str(path), "move it elsewhere to have it downloaded again"))
