"""Write a store piece by piece, with one piece in memory at a time.

A store is written under a temporary name, flushed to disk, and renamed. Even if several processes write the
same store at once, a reader never sees a partial one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.family import Fingerprints, copy_relations
from zoo.data.family_rule import check_matches, family_rule
from zoo.data.piece import Piece, Skipped, SourcePiece
from zoo.data.source import DataSource
from zoo.data.split import Split, connected_components, links_by_label, pattern, split_of
from zoo.data.store import FORMAT, Store, write_checksums
from zoo.errors import DataError, Problem, ZooError
from zoo.files import new_folder, unfinished, writing
from zoo.music.roll import Roll
from zoo.parts.piano import KEYS
from zoo.progress import Progress

ABANDONED_AFTER = 24 * 3600.0
"""Seconds after which an unfinished store is assumed to belong to a killed process."""
HINT = "free some disk space there, or set the environment variable ZOO_CACHE to another folder"
MAX_SHOWN = 5
"""Maximum number of unusable files whose reasons an error lists."""


def write_store(source: DataSource, cache: Path, progress: Progress | None = None) -> Store:
    """Read a source and write its store into the cache folder.

    Args:
        source: the source to read.
        cache: the cache folder; created if it does not exist.
        progress: called with the number of pieces read so far and the total.

    Raises:
        DataError: the source has no usable piece.
        ZooError: the cache cannot be written (permission denied, or the disk is full).
    """
    folder = cache / source.store_name
    with writing(cache, HINT):
        cache.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(cache)
    with new_folder(folder, HINT) as temporary:
        _write(source, temporary, progress)
    _remove_outdated(cache, source)
    store = source.stored(cache)
    if store is None:
        raise ZooError(Problem("the store written here cannot be read back", str(folder), HINT))
    return store


def _write(source: DataSource, folder: Path, progress: Progress | None) -> None:
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
            raise _no_usable_piece(source, skipped)
        writer.finish(skipped)
    write_checksums(folder)


class _Writer:
    """Appends pieces to the arrays of a store, and collects the entries of its table.

    The arrays are written as pieces arrive. The table is written last, since splits and families depend on
    all pieces.
    """

    def __init__(self, files: ExitStack, folder: Path, source: DataSource) -> None:
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

    def add(self, reading: SourcePiece) -> None:
        """Append one piece."""
        roll = reading.roll
        if roll.meter.grid != self.grid:
            raise ValueError(f"a piece on a grid of {roll.meter.grid} in a corpus on one of {self.grid}")
        digest = hashlib.sha256(f"{sorted(self.planes)} {roll.frames} {asdict(roll.meter)}".encode())
        for name, array in self._arrays(roll).items():
            self.files[name].write(array.tobytes())
            if name != "velocity.starts":  # depends on the pieces before this one
                digest.update(array.tobytes())
        # Copies and families are found on the default grid, so that the split is the same on every grid.
        default_roll = reading.default_roll or roll
        self.patterns.append(pattern(default_roll))
        self.fingerprints.add(default_roll)
        self.prescribed.append(reading.split)
        self.pieces.append(
            Piece(
                title=reading.title,
                frames=roll.frames,
                digest=digest.hexdigest(),
                split=reading.split or "train",  # replaced in _split, once all families are known
                tempo=roll.tempo,
                meter=roll.meter,
                alignment=reading.alignment,
                meter_from=reading.meter_from,
                off_grid=reading.off_grid,
                losses=dict(reading.losses),
            )
        )

    def _arrays(self, roll: Roll) -> dict[str, NDArray[Any]]:
        """The rows that one piece adds to each file."""
        arrays: dict[str, NDArray[Any]] = {"sounding.bits": np.packbits(roll.sounding, axis=-1)}
        if roll.onset is not None and "onset" in self.planes:
            arrays["onset.bits"] = np.packbits(roll.onset, axis=-1)
            if roll.velocity is not None and "velocity" in self.planes:
                counts = np.count_nonzero(roll.onset, axis=-1)
                # A boolean index reads row by row, so the values are in the order of the starts.
                arrays["velocity.starts"] = self.notes + np.cumsum(counts, dtype=np.int64) - counts
                arrays["velocity.values"] = roll.velocity[roll.onset]
                self.notes += int(counts.sum())
        return arrays

    def finish(self, skipped: list[Skipped]) -> None:
        """Append the row of silence to every array, and write the table."""
        silence = np.zeros((1, KEYS), np.bool_)
        velocity = silence.astype(np.uint8)
        for name, array in self._arrays(Roll(silence, silence, velocity)).items():
            self.files[name].write(array.tobytes())
        if "velocity" in self.planes:
            self.files["velocity.values"].write(b"\0")  # an empty file cannot be memory-mapped
        rule_families = self._rule_families()
        self.relations = [*copy_relations(self.patterns, self.prescribed), *self.fingerprints.relations()]
        table = {
            "format": FORMAT,
            "place": self.place,
            "planes": sorted(self.planes),
            "grid": self.grid,
            "pedal": self.pedal,
            "pieces": [asdict(piece) for piece in self._split(rule_families)],
            "relations": [asdict(relation) for relation in self.relations],
            "skipped": [asdict(piece) for piece in skipped],
        }
        json.dump(table, self.table)

    def _split(self, rule_families: Sequence[str | None]) -> list[Piece]:
        """The pieces with their families, in the prescribed split or else that of the family."""
        links = [(relation.first, relation.second) for relation in self.relations]
        families = connected_components(len(self.pieces), [*links, *links_by_label(rule_families)])
        computed = split_of(self.patterns, families)
        return [
            replace(piece, split=prescribed or split, family=family)
            for piece, prescribed, split, family in zip(
                self.pieces, self.prescribed, computed, families, strict=True
            )
        ]

    def _rule_families(self) -> list[str | None]:
        """The family of each piece by the rule; None where it does not apply or there is no rule."""
        if self.rule is None:
            return [None] * len(self.pieces)
        titles = [piece.title for piece in self.pieces]
        families = [self.rule(title) for title in titles]
        check_matches(self.family, families, titles)
        return families


def _remove_abandoned(cache: Path) -> None:
    """Remove the unfinished stores of killed processes; those written to recently may be in progress."""
    for store in unfinished(cache):
        with suppress(OSError):
            # The time of a folder is that of its newest entry, which does not change while files grow.
            newest = max(path.stat().st_mtime for path in (store, *store.iterdir()))
            if time.time() - newest > ABANDONED_AFTER:
                shutil.rmtree(store, ignore_errors=True)


def _remove_outdated(cache: Path, source: DataSource) -> None:
    """Remove older stores of a source that has changed; open stores stay readable, as they are mapped."""
    for store in cache.glob(f"{source.store_prefix}-*"):
        if store.name != source.store_name:
            shutil.rmtree(store, ignore_errors=True)


def _no_usable_piece(source: DataSource, skipped: list[Skipped]) -> DataError:
    what = (
        f"none of its {len(skipped)} pieces can be used"
        if len(skipped) > 1
        else "its one piece cannot be used"
    )
    more = f" (the first {MAX_SHOWN} are shown)" if len(skipped) > MAX_SHOWN else ""
    hint = "`zoo midi check FILE` reports details for one file" if "velocity" in source.planes else ""
    return DataError(
        Problem(f"{what}{more}", source.name, hint),
        *(Problem(piece.reason, where=piece.title) for piece in skipped[:MAX_SHOWN]),
    )
