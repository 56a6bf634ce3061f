"""A source: everything needed to read the pieces of a corpus into a store."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.data.options import DEFAULTS, Options
from zoo.data.piece import Skipped, SourcePiece
from zoo.data.store import FORMAT, Store, open_store
from zoo.music.grid import GRID


@dataclass(frozen=True)
class DataSource:
    """Music that can be read into a store.

    Attributes:
        name: the name of a corpus or a path, as given by the user.
        planes: which of the planes "onset", "sounding" and "velocity" are known.
        size: number of pieces or files to read.
        read: reads the pieces one by one, always in the same order.
        place: identifies the source among others with the same short name, for example an absolute path.
        state: a JSON value that changes when the music does: names, sizes and times of files, or a version.
        grid: frames per quarter note.
        options: how the files are read.
        ignored: how many files in the folder are not MIDI files, by kind, such as `.txt files`.
    """

    name: str
    planes: frozenset[str]
    size: int
    read: Callable[[], Iterator[SourcePiece | Skipped]]
    place: str
    state: Any
    grid: int = GRID
    options: Options = DEFAULTS
    ignored: Counter[str] = field(default_factory=Counter)

    @property
    def store_prefix(self) -> str:
        """The part of the store's name that depends on the source and the options, but not on the music."""
        short = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(self.name).stem)[:32] or "music"
        identity = os.fsencode(self.place) + json.dumps([self.grid, *self.options.identity()]).encode()
        return f"{short}-{hashlib.sha256(identity).hexdigest()[:8]}"

    @property
    def store_name(self) -> str:
        """The name of the store's folder, which changes with the music."""
        state = json.dumps([FORMAT, sorted(self.planes), self.options.rule_digest(), self.state])
        return f"{self.store_prefix}-{hashlib.sha256(state.encode()).hexdigest()[:16]}"

    def stored(self, cache: Path) -> Store | None:
        """Its store in the cache; None if there is none, or it is damaged or of another source."""
        store = open_store(cache / self.store_name)
        expected = (self.planes, self.grid, self.options.pedal)
        return store if store and (store.planes, store.grid, store.pedal) == expected else None
