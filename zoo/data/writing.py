"""Writing a store: piece by piece, never more than one in memory, seen by nobody before it is whole.

A store is written to a temporary folder beside its place, flushed to the disk, and renamed. However
many processes write one at once, the first to rename wins, and a reader meets a whole store or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.piece import Piece, Reading, Skipped
from zoo.data.source import Source
from zoo.data.split import Split, pattern, split_of
from zoo.data.store import FORMAT, Store, open_store
from zoo.errors import DataError, Problem, ZooError
from zoo.music.roll import KEYS, Roll

Progress = Callable[[int, int], None]
"""Told how many pieces have been read, and of how many."""

PARTIAL = "writing-"
ABANDONED = 24 * 3600.0
"""Seconds after which a temporary folder is taken for one whose writer was killed."""
SHOWN = 5
"""Of how many unusable files an error tells the reason."""


def write_store(source: Source, cache: Path, progress: Progress | None = None) -> Store:
    """Read a source and write its store into the cache folder.

    Raises:
        DataError: the source holds no piece that can be used.
        ZooError: the cache cannot be written (no right to, or the disk is full).
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(cache)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=cache))
        try:
            _write(source, partial, progress)
            _move_into_place(partial, cache / source.store_name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise _unwritable(cache, error.strerror or str(error)) from error
    store = open_store(cache / source.store_name)
    if store is None:
        raise _unwritable(cache, "what was written cannot be read back")
    _remove_outdated(cache, source)
    return store


def _write(source: Source, folder: Path, progress: Progress | None) -> None:
    """Write all files of a store, flushed to the disk."""
    with ExitStack() as files:
        writer = _Writer(files, folder, source.planes)
        skipped = []
        for done, reading in enumerate(source.read(), start=1):
            if isinstance(reading, Skipped):
                skipped.append(reading)
            else:
                writer.add(reading)
            if progress is not None:
                progress(done, source.size)
        if not writer.pieces:
            raise _nothing_usable(source, skipped)
        writer.finish(skipped)
    _flush_folder(folder)


class _Writer:
    """Appends pieces to the arrays of a store, and remembers what its table has to say of them."""

    def __init__(self, files: ExitStack, folder: Path, planes: frozenset[str]) -> None:
        names = [f"{plane}.bits" for plane in sorted(planes - {"velocity"})]
        if "velocity" in planes:
            names += ["velocity.values", "velocity.starts"]
        self.planes = planes
        self.files = {name: files.enter_context((folder / name).open("wb")) for name in names}
        self.table = files.enter_context((folder / "pieces.json").open("w", encoding="utf-8"))
        self.pieces: list[Piece] = []
        self.patterns: list[str] = []
        self.prescribed: list[Split | None] = []
        self.notes = 0

    def add(self, reading: Reading) -> None:
        """Append one piece."""
        roll = reading.roll
        digest = hashlib.sha256(f"{sorted(self.planes)} {roll.frames} {reading.offset}".encode())
        for name, array in self._arrays(roll).items():
            self.files[name].write(array.tobytes())
            if name != "velocity.starts":
                digest.update(array.tobytes())
        self.patterns.append(pattern(roll))
        self.prescribed.append(reading.split)
        self.pieces.append(
            Piece(
                title=reading.title,
                frames=roll.frames,
                digest=digest.hexdigest(),
                split=reading.split or "train",
                offset=reading.offset,
                tempo=roll.tempo,
            )
        )

    def _arrays(self, roll: Roll) -> dict[str, NDArray[Any]]:
        """What one piece adds to each file."""
        arrays: dict[str, NDArray[Any]] = {"sounding.bits": np.packbits(roll.sounding, axis=-1)}
        if roll.onset is not None and "onset" in self.planes:
            arrays["onset.bits"] = np.packbits(roll.onset, axis=-1)
            if roll.velocity is not None and "velocity" in self.planes:
                counts = np.count_nonzero(roll.onset, axis=-1)
                arrays["velocity.starts"] = self.notes + np.cumsum(counts, dtype=np.int64) - counts
                arrays["velocity.values"] = roll.velocity[roll.onset]
                self.notes += int(counts.sum())
        return arrays

    def finish(self, skipped: list[Skipped]) -> None:
        """End every array with a row of silence, write the table, and flush all to the disk."""
        silence = np.zeros((1, KEYS), np.bool_)
        velocity = silence.astype(np.uint8)
        for name, array in self._arrays(Roll(silence, silence, velocity)).items():
            self.files[name].write(array.tobytes())
        if "velocity" in self.planes:
            self.files["velocity.values"].write(b"\0")  # an empty file cannot be mapped
        table = {
            "format": FORMAT,
            "planes": sorted(self.planes),
            "pieces": [asdict(piece) for piece in self._split()],
            "skipped": [asdict(piece) for piece in skipped],
        }
        json.dump(table, self.table)
        for file in (*self.files.values(), self.table):
            file.flush()
            os.fsync(file.fileno())

    def _split(self) -> list[Piece]:
        """The pieces, each in the split that its source prescribes or its notes decide."""
        decided = split_of(self.patterns)
        return [
            replace(piece, split=prescribed or own)
            for piece, prescribed, own in zip(self.pieces, self.prescribed, decided, strict=True)
        ]


def _move_into_place(partial: Path, folder: Path) -> None:
    """Rename, unless another writer was first; what is there but damaged makes way."""
    partial.chmod(0o755)
    for _ in range(2):
        try:
            partial.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            if open_store(folder) is not None:
                return
            with suppress(FileNotFoundError):
                folder.rename(partial.with_name(f"{partial.name}-damaged"))
        else:
            _flush_folder(folder.parent)
            return


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(cache: Path) -> None:
    """Remove what killed writers left behind, and damaged stores that made way."""
    for partial in cache.glob(f"{PARTIAL}*"):
        with suppress(FileNotFoundError):
            if time.time() - partial.stat().st_mtime > ABANDONED:
                shutil.rmtree(partial, ignore_errors=True)


def _remove_outdated(cache: Path, source: Source) -> None:
    """Remove stores of the same source from before it changed; who has one open keeps it."""
    for store in cache.glob(f"{source.family}-*"):
        if store.name != source.store_name:
            shutil.rmtree(store, ignore_errors=True)


def _unwritable(cache: Path, reason: str) -> ZooError:
    return ZooError(
        Problem(
            f"the cache of corpora cannot be written: {reason}",
            where=str(cache),
            cure="free some space there, or name another folder in the environment variable ZOO_CACHE",
        )
    )


def _nothing_usable(source: Source, skipped: list[Skipped]) -> DataError:
    more = f" (the first {SHOWN} are shown)" if len(skipped) > SHOWN else ""
    return DataError(
        Problem(
            f"none of its {len(skipped)} files can be used{more}",
            where=source.name,
            cure="`zoo midi check FILE` tells more about one of them",
        ),
        *(Problem(piece.reason, where=piece.title) for piece in skipped[:SHOWN]),
    )
