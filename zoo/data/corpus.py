"""The corpus: pieces of music, served whole or in batches of fragments."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo.data.family import Relation
from zoo.data.piece import Piece, Skipped
from zoo.data.split import Split
from zoo.data.store import Store
from zoo.errors import Problem, UsageError
from zoo.music.grid import GRID, Pedal
from zoo.music.roll import Roll

if TYPE_CHECKING:
    from zoo.data.fragments import Fragments


class Corpus:
    """Pieces of music on the grid, read from disk on access.

    Attributes:
        name: name of the corpus, as given by the user.
        pieces: the pieces, in the order of the source; all indices refer to this order.
        skipped: pieces of the source that could not be used, and why.
        ignored: how many files in the folder are not MIDI files, by kind, such as `.txt files`.
        reread: whether there was a cache that could not be used, so that the music was read again.
        family: the rule for which pieces belong together; empty for none.
        in_memory: whether it was made of rolls, so that no command opens it.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        chosen: NDArray[np.int64] | None = None,
        ignored: Mapping[str, int] | None = None,
        *,
        reread: bool = False,
        family: str = "",
        in_memory: bool = False,
    ) -> None:
        self.name = name
        self.ignored = ignored or {}
        self.reread = reread
        self.family = family
        self.in_memory = in_memory
        self._store = store
        self._chosen = np.arange(len(store.pieces)) if chosen is None else chosen
        self._first = store.first[self._chosen]
        self.pieces: tuple[Piece, ...] = tuple(store.pieces[i] for i in self._chosen)
        self.skipped: tuple[Skipped, ...] = store.skipped
        self._lengths = np.array([piece.frames for piece in self.pieces], np.int64)

    @classmethod
    def from_rolls(cls, rolls: Iterable[Roll], name: str = "rolls", titles: Sequence[str] = ()) -> Self:
        """Create a corpus from rolls in memory; it is split and cached like any other.

        Args:
            rolls: the pieces, all on one grid and with the same planes.
            name: name of the corpus.
            titles: titles of the pieces; numbered from 1 by default.

        Raises:
            DataError: there are no pieces, or they differ in grid or planes.
            ZooError: the cache cannot be written.
        """
        from zoo.data import rolls as in_memory
        from zoo.data.store import cache_folder
        from zoo.data.writing import write_store

        source = in_memory.source(list(rolls), name, titles)
        cache = cache_folder()
        store = source.stored(cache) or write_store(source, cache)
        return cls(name, store, in_memory=True)

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, index: int) -> Roll:
        """One piece as a roll."""
        return self.roll(range(len(self))[index])

    def __iter__(self) -> Iterator[Roll]:
        return (self.roll(index) for index in range(len(self)))

    def __repr__(self) -> str:
        splits = Counter(piece.split for piece in self.pieces)
        counts = ", ".join(
            f"{splits[split]} {split}" for split in ("train", "valid", "test") if splits[split]
        )
        grid = "" if self.grid == GRID else f", grid={self.grid}"
        return f"Corpus({self.name!r}, {len(self)} pieces ({counts}), {self.frames:,} frames{grid})"

    def _repr_html_(self) -> str:
        """Pieces and frames of each split, as a table for notebooks."""
        frames, pieces = Counter[str](), Counter[str]()
        for piece in self.pieces:
            frames[piece.split] += piece.frames
            pieces[piece.split] += 1
        rows = "".join(
            f"<tr><th>{split}</th><td>{pieces[split]:,}</td><td>{frames[split]:,}</td></tr>"
            for split in ("train", "valid", "test")
            if pieces[split]
        )
        caption = f"{escape(self.name)}: {self.grid} frames per quarter note"
        head = "<tr><th>split</th><th>pieces</th><th>frames</th></tr>"
        return f'<table><caption style="white-space: nowrap">{caption}</caption>{head}{rows}</table>'

    @property
    def planes(self) -> frozenset[str]:
        """Which of the planes "onset", "sounding" and "velocity" are known."""
        return self._store.planes

    @property
    def grid(self) -> int:
        """Frames per quarter note."""
        return self._store.grid

    @property
    def pedal(self) -> Pedal:
        """Where notes end, `keep` for the release of the key, `hold` for that of the sustain pedal."""
        return self._store.pedal

    @property
    def frames(self) -> int:
        """Total length of all pieces in frames."""
        return int(self._lengths.sum())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the digests and splits of all pieces; equal digests mean the same music and split."""
        table = "\n".join(f"{piece.digest} {piece.split}" for piece in self.pieces)
        return hashlib.sha256(table.encode()).hexdigest()

    def related(self) -> list[tuple[Piece, Piece, Relation]]:
        """Pairs of pieces that share music, and what they share; the largest share first."""
        index_of = {int(number): index for index, number in enumerate(self._chosen)}
        pairs = [
            (self.pieces[index_of[relation.first]], self.pieces[index_of[relation.second]], relation)
            for relation in self._store.relations
            if relation.first in index_of and relation.second in index_of
        ]
        return sorted(pairs, key=lambda pair: -pair[2].share)

    def leaks(self) -> list[tuple[Piece, Piece, Relation]]:
        """Related pieces in different splits, which only occur in splits prescribed by a dataset."""
        return [pair for pair in self.related() if pair[0].split != pair[1].split]

    @property
    def is_selection(self) -> bool:
        """Whether it has only some of the pieces of its music, or these in another order."""
        return not np.array_equal(self._chosen, np.arange(len(self._store.pieces)))

    def split(self, name: Split | Literal["all"]) -> Corpus:
        """The pieces of one split, or of all; a split may be empty if the corpus is very small.

        Raises:
            UsageError: there is no split of this name.
        """
        if name == "all":
            return self
        if name not in get_args(Split):
            raise UsageError(Problem(f"there is no split {name!r}", "split", "use train, valid, test or all"))
        return self.take([i for i, piece in enumerate(self.pieces) if piece.split == name])

    def take(self, indices: Sequence[int]) -> Corpus:
        """A corpus of the pieces at these indices, in this order."""
        chosen = self._chosen[np.asarray(indices, np.int64)]
        return Corpus(
            self.name, self._store, chosen, self.ignored, family=self.family, in_memory=self.in_memory
        )

    def roll(self, index: int) -> Roll:
        """One piece as a roll."""
        piece = self.pieces[index]
        rows = self._first[index] + np.arange(piece.frames)
        onset = self._store.keys("onset", rows)
        sounding = self._store.keys("sounding", rows)
        assert sounding is not None
        return Roll(onset, sounding, self._store.loudness(rows, onset), piece.tempo, piece.meter)

    def starts(self, frames: int = 256, stride: int = 32) -> NDArray[np.int64]:
        """Positions (N, 2) of (piece, first target frame), every `stride` frames from the start of a piece.

        Every frame of every piece is a target in at least one fragment of `frames` frames. The last fragment
        of a piece may extend beyond its end; a piece shorter than a fragment has just one.

        Raises:
            ValueError: `stride` is not in 1..frames.
        """
        if not 1 <= stride <= frames:
            raise ValueError(f"a stride of {stride} leaves gaps between fragments of {frames} frames")
        counts = 1 + np.maximum(0, -(-(self._lengths - frames) // stride))
        piece = np.repeat(np.arange(len(self.pieces)), counts)
        number = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.stack([piece, number * stride], axis=1).astype(np.int64)

    def fragments(self, positions: ArrayLike, frames: int = 256, past: int = 128) -> Fragments:
        """A batch of fragments.

        Args:
            positions: (B, 2) integers, (piece, first target frame).
            frames: number of target frames.
            past: number of frames of history before the context frame.
        """
        piece, start = np.asarray(positions, np.int64).reshape(-1, 2).T
        return self._gather(piece, start, frames, past)

    def whole(self, indices: Sequence[int]) -> Fragments:
        """A batch of whole pieces, without history, padded to the longest."""
        piece = np.asarray(indices, np.int64)
        longest = int(self._lengths[piece].max(initial=0))
        return self._gather(piece, np.zeros_like(piece), longest, past=0)

    def _gather(self, piece: NDArray[Any], start: NDArray[Any], frames: int, past: int) -> Fragments:
        import torch

        from zoo.data.fragments import Fragments
        from zoo.parts.clock import Clock

        frame = start[:, None] + np.arange(-past - 1, frames)
        inside = (frame >= 0) & (frame < self._lengths[piece, None])
        rows = np.where(inside, frame + self._first[piece, None], self._store.silence)
        onset = self._store.keys("onset", rows)
        sounding = self._store.keys("sounding", rows)
        velocity = self._store.loudness(rows, onset)
        return Fragments(
            onset=None if onset is None else torch.from_numpy(onset),
            sounding=torch.from_numpy(sounding),
            velocity=None if velocity is None else torch.from_numpy(velocity),
            clock=Clock.in_meters([self.pieces[index].meter for index in piece], frame[:, past:], self.grid),
            mask=torch.from_numpy(inside[:, past + 1 :].copy()),
        )
