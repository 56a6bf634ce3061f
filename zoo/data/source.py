"""A source: where the pieces of a corpus come from, before they are read."""

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
from zoo.data.piece import Reading, Skipped
from zoo.data.store import FORMAT
from zoo.music.grid import GRID


@dataclass(frozen=True)
class Source:
    """Music that can be read into a store.

    Attributes:
        name: what the user calls it: the name of a corpus, or a path.
        planes: which of "onset", "sounding" and "velocity" it knows.
        size: how many pieces or files there are to read.
        read: reads them one by one, in an order that does not change.
        place: tells this source from others of the same short name, such as an absolute path.
        state: whatever changes when the music changes; a list of names, sizes and times, or a version.
        grid: frames to a quarter note.
        options: how its files are read.
        passed_over: how many files lie there that are not read, by what they are: `.txt files`.
    """

    name: str
    planes: frozenset[str]
    size: int
    read: Callable[[], Iterator[Reading | Skipped]]
    place: str
    state: Any
    grid: int = GRID
    options: Options = DEFAULTS
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def family(self) -> str:
        """The part of the store's name that stays when the music changes; options are part of it."""
        short = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(self.name).stem)[:32] or "music"
        which = os.fsencode(self.place) + json.dumps([self.grid, *self.options.identity()]).encode()
        return f"{short}-{hashlib.sha256(which).hexdigest()[:8]}"

    @property
    def store_name(self) -> str:
        """The name of the store's folder: another one for music that has changed."""
        state = json.dumps([FORMAT, sorted(self.planes), self.options.rule(), self.state])
        return f"{self.family}-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
