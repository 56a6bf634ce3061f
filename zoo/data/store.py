"""The store: a corpus read once, kept as packed bit planes that are mapped into memory.

A store is a folder of raw arrays and a table:

    onset.bits, sounding.bits   (frames + 1, 11) uint8, 88 keys to a row of bits (`numpy.packbits`)
    velocity.values             uint8, the loudness of every pressed key, in order of frame, then key
    velocity.starts             (frames + 1,) int64, where among the values those of a frame begin
    pieces.json                 the pieces in order, and what was skipped

A plane that the source does not know has no file. The last row of every array is silence: whatever
lies outside a piece is read from there.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.family import Relation
from zoo.data.piece import Piece, Skipped
from zoo.music.grid import Pedal
from zoo.music.meter import Meter
from zoo.music.roll import KEYS

FORMAT = 5
"""Goes up when the layout changes, or how pieces are read or split: older stores are made anew."""
ROW = KEYS // 8


def cache_folder() -> Path:
    """Where stores live: in `$ZOO_CACHE`, or in the user's cache folder."""
    import platformdirs

    named = os.environ.get("ZOO_CACHE")
    return (Path(named) if named else Path(platformdirs.user_cache_dir("polyzoo"))) / "corpora"


@dataclass(frozen=True)
class Store:
    """The table and the mapped arrays of a corpus.

    Attributes:
        planes: which of "onset", "sounding" and "velocity" the source knows.
        grid: frames to a quarter note.
        pedal: where notes end: `keep`, when the key is released; `hold`, when the sustain pedal rises.
        pieces: all pieces, in the order of the source.
        skipped: what the source holds but could not be used.
        relations: pairs of pieces that share music, by their places among the pieces.
        first: (N,) int64, the row of each piece's first frame.
        onset: (R, 11) uint8 packed bits, or None.
        sounding: (R, 11) uint8 packed bits; the last of the R rows is silence.
        velocity: values of the pressed keys in order, or None; `velocity_starts` (R,) says where a
            frame's begin.
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
        """The row that stands for every frame outside a piece."""
        return len(self.sounding) - 1

    def keys(self, plane: str, rows: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """The cells of a plane, (..., 88) bool, in rows (...); None for a plane nobody knows."""
        packed = self.onset if plane == "onset" else self.sounding
        return None if packed is None else np.unpackbits(packed[rows], axis=-1).view(np.bool_)

    def loudness(self, rows: NDArray[np.int64], onset: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
        """Velocities (..., 88) in rows (...), given which keys are pressed in them; None if unknown."""
        if self.velocity is None or self.velocity_starts is None or onset is None:
            return None
        flat = rows.ravel()
        pressed = onset.reshape(-1, KEYS)
        counts = np.count_nonzero(pressed, axis=1)
        before = np.cumsum(counts) - counts
        index = np.repeat(self.velocity_starts[flat] - before, counts) + np.arange(counts.sum())
        loud = np.zeros(pressed.shape, np.uint8)
        loud[pressed] = self.velocity[index]
        return loud.reshape(onset.shape)


def open_store(folder: Path) -> Store | None:
    """The store in a folder, or None where none stands or what stands there is not whole."""
    try:
        table = table_of(folder)
        return None if table is None else _mapped(folder, table)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def table_of(folder: Path) -> dict[str, Any] | None:
    """The table of the store in a folder, or None where there is none of this format."""
    try:
        table = json.loads((folder / "pieces.json").read_text("utf-8"))
        return table if table["format"] == FORMAT else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _mapped(folder: Path, table: dict[str, Any]) -> Store:
    pieces = tuple(Piece(**{**piece, "meter": Meter.from_json(piece["meter"])}) for piece in table["pieces"])
    first = np.cumsum([0, *(piece.frames for piece in pieces)], dtype=np.int64)
    rows = int(first[-1]) + 1

    def array(name: str, kind: type, *shape: int) -> Any:
        mapped = np.memmap(folder / name, dtype=kind, mode="r")
        return np.asarray(mapped).reshape(shape)

    planes = frozenset(table["planes"])
    loud = "velocity" in planes
    starts = array("velocity.starts", np.int64, rows) if loud else None
    return Store(
        planes=planes,
        grid=table["grid"],
        pedal=table["pedal"],
        pieces=pieces,
        skipped=tuple(Skipped(**skipped) for skipped in table["skipped"]),
        relations=tuple(Relation(**relation) for relation in table["relations"]),
        first=first[:-1],
        onset=array("onset.bits", np.uint8, rows, ROW) if "onset" in planes else None,
        sounding=array("sounding.bits", np.uint8, rows, ROW),
        velocity=array("velocity.values", np.uint8, int(starts[-1]) + 1) if starts is not None else None,
        velocity_starts=starts,
    )
