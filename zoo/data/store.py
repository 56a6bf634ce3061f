"""The store: the cache of a corpus, with bit-packed planes that are memory-mapped.

A store is a folder of raw arrays and a table:

    onset.bits, sounding.bits   (frames + 1, 11) uint8, the 88 keys of each frame as bits (`numpy.packbits`)
    velocity.values             uint8, velocities of all onsets, by frame, then key
    velocity.starts             (frames + 1,) int64, index of each frame's first velocity
    pieces.json                 the pieces in order, and the skipped ones
    sha256                      checksums of the other files, as `sha256sum` prints them
    verified                    sizes and times of the files of a large store when they were last verified

Planes that the source does not know have no file. The last row of every array is silence; frames outside a
piece are read from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from zoo.data.family import Relation
from zoo.data.piece import Piece, Skipped
from zoo.errors import ZooError
from zoo.files import is_plain, write_file
from zoo.limits import LIMITS, read_bytes, read_text
from zoo.music.grid import Pedal
from zoo.music.meter import Meter
from zoo.parts.piano import KEYS

FORMAT = 5
"""Increased when the format changes, or the way in which pieces are read or split; older stores are then
rebuilt."""
ROW_BYTES = KEYS // 8
TABLE, CHECKSUMS, VERIFIED = "pieces.json", "sha256", "verified"
CONTENT = frozenset({TABLE, "onset.bits", "sounding.bits", "velocity.values", "velocity.starts"})
"""The files that have checksums."""
LARGE = 64 * 2**20
"""Size in bytes from which on a store is not verified whenever it is opened; the others take milliseconds."""
TRUSTED = 24 * 3600.0
"""Seconds after which a large store is verified again, even if its files have the same sizes and times."""
TICK = 2.0
"""Seconds within which a file can be changed without a change of its time, depending on the file system."""
DAMAGE = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""Exceptions of reading a store that is damaged."""


Row = TypeVar("Row", Piece, Skipped, Relation)


def cache_folder() -> Path:
    """The folder of all stores, in `$ZOO_CACHE` or the user's cache folder."""
    import platformdirs

    folder = os.environ.get("ZOO_CACHE") or platformdirs.user_cache_dir("polyzoo")
    return Path(folder) / "corpora"


@dataclass(frozen=True)
class Store:
    """The table and the memory-mapped arrays of a corpus.

    Attributes:
        planes: which of the planes "onset", "sounding" and "velocity" are known.
        grid: frames per quarter note.
        pedal: where notes end: when the key is released (`keep`), or when the sustain pedal is (`hold`).
        pieces: all pieces, in the order of the source.
        skipped: pieces of the source that could not be used.
        relations: pairs of pieces that share music, by index.
        first: (N,) int64, the row of each piece's first frame.
        onset: (R, 11) uint8 packed bits, or None.
        sounding: (R, 11) uint8 packed bits; the last of the R rows is silence.
        velocity: velocities of all onsets, by frame, then key; or None.
        velocity_starts: (R,) int64, the index of each row's first velocity; or None.
    """

    planes: frozenset[str]
    grid: int
    pedal: Pedal
    pieces: tuple[Piece, ...]
    skipped: tuple[Skipped, ...]
    relations: tuple[Relation, ...]
    first: NDArray[np.int64]
    onset: NDArray[np.uint8] | None
    sounding: NDArray[np.uint8]
    velocity: NDArray[np.uint8] | None
    velocity_starts: NDArray[np.int64] | None

    @property
    def silence(self) -> int:
        """The row to read for frames outside a piece."""
        return len(self.sounding) - 1

    def keys(self, plane: str, rows: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """A plane, (..., 88) bool, at rows (...); None if the plane is unknown."""
        packed = self.onset if plane == "onset" else self.sounding
        return None if packed is None else np.unpackbits(packed[rows], axis=-1).view(np.bool_)

    def loudness(self, rows: NDArray[np.int64], onset: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
        """Velocities (..., 88) at rows (...), given the onsets (..., 88) there; None if unknown."""
        if self.velocity is None or self.velocity_starts is None or onset is None:
            return None
        flat_rows = rows.ravel()
        flat_onset = onset.reshape(-1, KEYS)
        counts = np.count_nonzero(flat_onset, axis=1)
        before = np.cumsum(counts) - counts
        # The k-th onset of a row is at velocity_starts + k; subtracting the onsets of all rows before it lets
        # a single arange count k in every row.
        index = np.repeat(self.velocity_starts[flat_rows] - before, counts) + np.arange(counts.sum())
        velocity = np.zeros(flat_onset.shape, np.uint8)
        # Clipped, since the files of a cache that was sent may not fit together.
        velocity[flat_onset] = self.velocity.take(index, mode="clip")
        return velocity.reshape(onset.shape)


def open_store(folder: Path) -> Store | None:
    """Open the store in a folder; None if there is none, or it is incomplete or damaged."""
    try:
        table = table_of(folder)
        return _mapped(folder, table) if table and _is_intact(folder, table) else None
    except DAMAGE:
        return None


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files of a store."""
    (folder / CHECKSUMS).write_text(_checksums(folder), "utf-8")


def _is_intact(folder: Path, table: dict[str, Any]) -> bool:
    """Whether all files have the sizes that the table implies, and match their checksums.

    A large store that was verified lately counts as intact if no file has changed since, as git does it; only
    its table is verified then.
    """
    if not is_plain(folder / CHECKSUMS):
        return False
    # Not the files that the folder lists: another process may be replacing the store.
    text = read_text(folder / CHECKSUMS, "checksums")
    digests = {name: digest for digest, _, name in (line.partition("  ") for line in text.splitlines())}
    if not text.endswith("\n") or TABLE not in digests or not digests.keys() <= CONTENT:
        return False
    files = [folder / name for name in (CHECKSUMS, *digests)]
    # A pipe, or a sparse file of any size, would be read for ever.
    if not all(map(is_plain, files)) or not _have_sizes(folder, digests, table):
        return False
    is_large = sum(file.stat().st_size for file in files) >= LARGE
    state = _state(files)
    if is_large and _was_verified(folder, files, state):
        return _checksum(folder / TABLE) == digests[TABLE]
    is_intact = all(_checksum(folder / name) == digest for name, digest in digests.items())
    if is_intact and is_large:
        with suppress(ZooError):  # the cache may be read-only
            write_file(folder / VERIFIED, state)
    return is_intact


def _have_sizes(folder: Path, names: Iterable[str], table: dict[str, Any]) -> bool:
    """Whether no array is larger than the table implies; the last row is silence."""
    rows = sum(piece["frames"] for piece in table["pieces"]) + 1
    most = {"velocity.starts": 8 * rows, "velocity.values": KEYS * rows, TABLE: LIMITS["table"]}
    return all((folder / name).stat().st_size <= most.get(name, ROW_BYTES * rows) for name in names)


def _state(files: Sequence[Path]) -> str:
    """Everything about files that changes when they are written, but their content."""
    entries = ((file.name, file.stat()) for file in files)
    return "".join(
        f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}\n"
        for name, stat in entries
    )


def _was_verified(folder: Path, files: Sequence[Path], state: str) -> bool:
    """Whether the files are as they were when they were last verified, within a day.

    If that was within a tick of the last change, another change could have left the times as they are.
    """
    verified = folder / VERIFIED
    try:
        if not is_plain(verified) or read_text(verified, "checksums") != state:
            return False
    except (OSError, ValueError):
        return False
    at = verified.stat().st_mtime
    changed = max(max(file.stat().st_mtime, file.stat().st_ctime) for file in files)
    return at >= changed + TICK and 0 <= time.time() - at < TRUSTED


def _checksums(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.name != CHECKSUMS)
    return "".join(f"{_checksum(folder / name)}  {name}\n" for name in names)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def table_of(folder: Path) -> dict[str, Any] | None:
    """The table of the store in a folder; None if there is none, or it has another format."""
    try:
        table = json.loads(read_bytes(folder / TABLE, "table"))
        return table if table["format"] == FORMAT else None
    except DAMAGE:
        return None


def _typed(kind: type[Row], rows: Sequence[Any]) -> tuple[Row, ...]:
    """The rows of a table as objects whose fields have the right types."""
    from pydantic import TypeAdapter

    return tuple(TypeAdapter(list[kind]).validate_python(rows))  # type: ignore[valid-type]


def _is_possible(piece: Piece) -> bool:
    """Whether the length, tempo and time signatures of a piece are positive numbers."""
    changes = piece.meter.changes
    has_meter = bool(changes) and all(change.beats > 0 and change.unit > 0 for change in changes)
    return piece.frames >= 0 and 0 < piece.tempo < inf and piece.meter.grid > 0 and has_meter


def _mapped(folder: Path, table: dict[str, Any]) -> Store:
    pieces = _typed(Piece, [{**piece, "meter": Meter.from_json(piece["meter"])} for piece in table["pieces"]])
    if not all(map(_is_possible, pieces)):
        raise ValueError("a piece has an impossible length, tempo or meter")
    first = np.cumsum([0, *(piece.frames for piece in pieces)], dtype=np.int64)
    rows = int(first[-1]) + 1

    def array(name: str, dtype: type, *shape: int) -> Any:
        mapped = np.memmap(folder / name, dtype=dtype, mode="r")
        return np.asarray(mapped).reshape(shape)  # raises ValueError if the file is truncated

    planes = frozenset(table["planes"])
    starts = array("velocity.starts", np.int64, rows) if "velocity" in planes else None
    return Store(
        planes=planes,
        grid=table["grid"],
        pedal=table["pedal"],
        pieces=pieces,
        skipped=_typed(Skipped, table["skipped"]),
        relations=_typed(Relation, table["relations"]),
        first=first[:-1],
        onset=array("onset.bits", np.uint8, rows, ROW_BYTES) if "onset" in planes else None,
        sounding=array("sounding.bits", np.uint8, rows, ROW_BYTES),
        velocity=array("velocity.values", np.uint8, int(starts[-1]) + 1) if starts is not None else None,
        velocity_starts=starts,
    )
