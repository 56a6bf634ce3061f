"""Writing a store: piece by piece, never more than one in memory, seen by nobody before it is whole.

A store is filled under a temporary name, flushed to the disk, and renamed. However many processes write
one at once, a reader meets a whole store or none.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.family import Fingerprints, copied
from zoo.data.family_rule import check_matches, family_rule
from zoo.data.piece import Piece, Reading, Skipped
from zoo.data.source import Source
from zoo.data.split import Split, alike, connected, pattern, split_of
from zoo.data.store import FORMAT, Store, open_store
from zoo.errors import DataError, Problem, ZooError
from zoo.files import UNFINISHED, new_folder, writing
from zoo.music.roll import KEYS, Roll

Progress = Callable[[int, int], None]
"""Told how many pieces have been read, and of how many."""

ABANDONED = 24 * 3600.0
"""Seconds after which an unfinished store is taken for one whose writer was killed."""
HINT = "free some space there, or name another folder in the environment variable ZOO_CACHE"
SHOWN = 5
"""Of how many unusable files an error tells the reason."""


def write_store(source: Source, cache: Path, progress: Progress | None = None) -> Store:
    """Read a source and write its store into the cache folder.

    Raises:
        DataError: the source holds no piece that can be used.
        ZooError: the cache cannot be written (no right to, or the disk is full).
    """
    place = cache / source.store_name
    with writing(cache, HINT):
        cache.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(cache)
    with new_folder(place, HINT) as part:
        _write(source, part, progress)
    _remove_outdated(cache, source)
    store = open_store(place)
    if store is None:
        raise ZooError(Problem("what was written here cannot be read back", str(place), HINT))
    return store


def _write(source: Source, folder: Path, progress: Progress | None) -> None:
    with ExitStack() as files:
        writer = _Writer(files, folder, source)
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


class _Writer:
    """Appends pieces to the arrays of a store, and remembers what its table has to say of them."""

    def __init__(self, files: ExitStack, folder: Path, source: Source) -> None:
        self.place = " ".join([source.place, *source.options.words()])
        self.planes, self.grid, self.pedal = source.planes, source.grid, source.options.pedal
        names = [f"{plane}.bits" for plane in sorted(self.planes - {"velocity"})]
        if "velocity" in self.planes:
            names += ["velocity.values", "velocity.starts"]
        self.files = {name: files.enter_context((folder / name).open("wb")) for name in names}
        self.table = files.enter_context((folder / "pieces.json").open("w", encoding="utf-8"))
        self.pieces: list[Piece] = []
        self.patterns: list[str] = []
        self.prescribed: list[Split | None] = []
        self.fingerprints = Fingerprints()
        self.family = source.options.family
        self.rule = family_rule(self.family) if self.family else None
        self.notes = 0

    def add(self, reading: Reading) -> None:
        """Append one piece."""
        roll = reading.roll
        if roll.meter.grid != self.grid:
            raise ValueError(f"a piece on a grid of {roll.meter.grid} in a corpus on one of {self.grid}")
        digest = hashlib.sha256(f"{sorted(self.planes)} {roll.frames} {asdict(roll.meter)}".encode())
        for name, array in self._arrays(roll).items():
            self.files[name].write(array.tobytes())
            if name != "velocity.starts":
                digest.update(array.tobytes())
        compared = reading.by_default or roll
        self.patterns.append(pattern(compared))
        self.fingerprints.add(compared)
        self.prescribed.append(reading.split)
        self.pieces.append(
            Piece(
                title=reading.title,
                frames=roll.frames,
                digest=digest.hexdigest(),
                split=reading.split or "train",
                tempo=roll.tempo,
                meter=roll.meter,
                alignment=reading.alignment,
                meter_from=reading.meter_from,
                off_grid=reading.off_grid,
                losses=dict(reading.losses),
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
        """End every array with a row of silence, and write the table."""
        silence = np.zeros((1, KEYS), np.bool_)
        velocity = silence.astype(np.uint8)
        for name, array in self._arrays(Roll(silence, silence, velocity)).items():
            self.files[name].write(array.tobytes())
        if "velocity" in self.planes:
            self.files["velocity.values"].write(b"\0")  # an empty file cannot be mapped
        named = self._named()
        self.relations = [*copied(self.patterns, self.prescribed), *self.fingerprints.relations()]
        table = {
            "format": FORMAT,
            "place": self.place,
            "planes": sorted(self.planes),
            "grid": self.grid,
            "pedal": self.pedal,
            "pieces": [asdict(piece) for piece in self._split(named)],
            "relations": [asdict(relation) for relation in self.relations],
            "skipped": [asdict(piece) for piece in skipped],
        }
        json.dump(table, self.table)

    def _split(self, named: Sequence[str | None]) -> list[Piece]:
        """The pieces, each in the split that its source prescribes or its family decides."""
        links = [(relation.first, relation.second) for relation in self.relations]
        families = connected(len(self.pieces), [*links, *alike(named)])
        decided = split_of(self.patterns, families)
        return [
            replace(piece, split=prescribed or own, family=family)
            for piece, prescribed, own, family in zip(
                self.pieces, self.prescribed, decided, families, strict=True
            )
        ]

    def _named(self) -> list[str | None]:
        """The family of each piece by the rule, if there is one."""
        if self.rule is None:
            return [None] * len(self.pieces)
        titles = [piece.title for piece in self.pieces]
        named = [self.rule(title) for title in titles]
        check_matches(self.family, named, titles)
        return named


def _remove_abandoned(cache: Path) -> None:
    """Remove what killed writers left behind long ago; others may be writing now."""
    for part in cache.glob(f".*{UNFINISHED}"):
        with suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > ABANDONED:
                shutil.rmtree(part, ignore_errors=True)


def _remove_outdated(cache: Path, source: Source) -> None:
    """Remove stores of the same source from before it changed; who has one open keeps it."""
    for store in cache.glob(f"{source.family}-*"):
        if store.name != source.store_name:
            shutil.rmtree(store, ignore_errors=True)


def _nothing_usable(source: Source, skipped: list[Skipped]) -> DataError:
    count = f"none of its {len(skipped)} pieces can" if len(skipped) > 1 else "its one piece cannot"
    more = f" (the first {SHOWN} are shown)" if len(skipped) > SHOWN else ""
    midi = "`zoo midi check FILE` tells more about one of them" if "velocity" in source.planes else ""
    return DataError(
        Problem(f"{count} be used{more}", source.name, midi),
        *(Problem(piece.reason, where=piece.title) for piece in skipped[:SHOWN]),
    )
