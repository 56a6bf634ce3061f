"""Read MIDI files directly from a zip archive. Nothing is extracted to disk."""

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
from zoo.data.parallel import in_parallel
from zoo.data.piece import Skipped, SourcePiece, read_piece
from zoo.data.split import SPELLINGS, Split
from zoo.errors import DataError, Problem
from zoo.music.beats import Beats, read_beats
from zoo.music.guard import DEFAULT_LIMITS

MAX_MEMBERS = 50_000
READ_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, csv.Error, OSError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, KeyError),
)
"""Exceptions of `zipfile` and `csv` for archives, members and tables that are damaged or encrypted."""
BOUNDED_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Compression methods that `zipfile` decompresses in bounded steps; with others, a small member could fill
the memory."""


def is_archive(path: Path) -> bool:
    """Whether a file is a complete zip archive; a truncated one is not."""
    return zipfile.is_zipfile(path)


@dataclass(frozen=True)
class Members:
    """Which members of an archive are the pieces of a dataset, and which files describe them.

    Attributes:
        pattern: regular expression for the full name of a MIDI file; its group `title` is the title of the
            piece.
        tracks: titles of the tracks to read; all tracks if empty.
        splits: suffix of the name of a CSV file in the archive that assigns each file (column
            midi_filename) to a split (column split: train, validation or test); empty if there is none.
        beats: name of the beat file (`zoo.music.beats`) in the folder of each MIDI file; empty if there is
            none.
    """

    pattern: str
    tracks: tuple[str, ...] = ()
    splits: str = ""
    beats: str = ""


def read_archive(path: Path, members: Members, options: Options) -> Iterator[SourcePiece | Skipped]:
    """Read the pieces of a dataset from an archive, sorted by file name.

    Raises:
        DataError: the archive is damaged, or has more members than any dataset.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_MEMBERS:
                raise _damaged(path, f"the archive contains more than {MAX_MEMBERS} files")
            split_of = _splits(archive, members.splits) if members.splits else {}
            inputs = (
                (
                    title := match["title"],
                    _content(archive, info, members),
                    members,
                    options,
                    split_of.get(title),
                )
                for info in sorted(infos, key=lambda info: info.filename)
                if not info.is_dir() and (match := re.fullmatch(members.pattern, info.filename))
            )
            yield from in_parallel(_read, inputs, len(infos))
    except READ_ERRORS as error:
        raise _damaged(path, f"the archive is damaged: {error}") from error


def _content(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, members: Members
) -> tuple[bytes, Beats | None] | str:
    """The MIDI file and the beats of a member, or why it is skipped."""
    if ".." in PurePosixPath(info.filename).parts or info.filename.startswith("/"):
        return "its name points outside the archive"
    try:
        return _bytes(archive, info), _beats(archive, info, members.beats)
    except DataError as error:
        return _reason(error)
    except READ_ERRORS as error:
        return f"it cannot be decompressed: {error}"


def _read(
    title: str,
    content: tuple[bytes, Beats | None] | str,
    members: Members,
    options: Options,
    split: Split | None,
) -> SourcePiece | Skipped:
    from zoo.music.midi import examine_bytes

    if isinstance(content, str):
        return Skipped(title, content)
    data, beats = content
    read = partial(examine_bytes, data, title, tracks=members.tracks, beats=beats)
    try:
        return read_piece(title, read, options, split)
    except DataError as error:
        return Skipped(title, _reason(error))


def _reason(error: DataError) -> str:
    return "; ".join(problem.what for problem in error.problems)


def _beats(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Beats | None:
    """The beats in the beat file next to a member; None if there is no such file."""
    if not name:
        return None
    beat_file = str(PurePosixPath(info.filename).with_name(name))
    try:
        member = archive.getinfo(beat_file)
    except KeyError:
        return None
    return read_beats(_bytes(archive, member), beat_file)


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The content of a member, limited to the maximum size of a MIDI file whatever its header claims."""
    if info.compress_type not in BOUNDED_METHODS:
        raise ValueError("its compression method is neither store nor deflate")
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
    return DataError(Problem(what, str(path), "move or delete the file to download it again"))
