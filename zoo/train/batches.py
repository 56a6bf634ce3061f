"""Batches of fragments for training.

The fragments of a step and their transpositions depend only on the seed and the step, not on the steps
before. A resumed run therefore sees the same batches without storing the state of a random number generator.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.data import Corpus
from zoo.data.fragments import Fragments
from zoo.errors import DataError, Problem
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.train.ranks import ALONE, Ranks
from zoo.train.settings import TrainSettings

LOWEST, HIGHEST = -6, 5
"""Range of transpositions in semitones: to each of the twelve keys, by the smallest interval."""
POOL = 50
"""Number of batches in a pool of fragments that are sorted by length together. Larger pools need less
padding, smaller ones mix fragments better. A small corpus is split into at least two pools."""


class TrainingBatches:
    """The batches of each training step.

    Attributes:
        epoch: steps per epoch. Fragments that do not fill a step are dropped; which ones differs from epoch
            to epoch.
    """

    def __init__(self, corpus: Corpus, settings: TrainSettings, seed: int, ranks: Ranks = ALONE) -> None:
        self._corpus = corpus
        self._settings = settings = settings.on_grid(corpus.grid)
        self._seed = seed
        self._ranks = ranks
        self._starts = _with_openings(corpus.starts(settings.frames, settings.stride), settings.openings)
        pieces = np.array([piece.frames for piece in corpus.pieces], np.int64)
        self._lengths = np.minimum(pieces[self._starts[:, 0]] - self._starts[:, 1], settings.frames)
        self._size = settings.batch * settings.accumulate * ranks.count
        self.epoch = max(len(self._starts) // self._size, 1)
        self._order = lru_cache(maxsize=1)(self._shuffle)

    def places(self, step: int) -> NDArray[np.int64]:
        """The positions of the fragments of a step, (B, 2): piece and first frame."""
        places: NDArray[np.int64] = self._starts[self._indices(step)]
        return places

    def shifts(self, step: int) -> torch.Tensor:
        """The transposition of each fragment of a step in semitones, (B,)."""
        size = (len(self.places(step)),)
        if not self._settings.transpose:
            return torch.zeros(size, dtype=torch.int64)
        return torch.randint(LOWEST, HIGHEST + 1, size, generator=generator(self._seed, "transpose", step))

    def at(self, step: int) -> list[Fragments]:
        """The batches of a step; its gradient is accumulated over all of them.

        With several ranks, each rank takes every `ranks.count`-th batch, starting at its own number.
        """
        size, ranks = self._settings.batch, self._ranks
        shifts, indices = self.shifts(step), self._indices(step)
        batches = []
        for first in range(ranks.number * size, len(indices), ranks.count * size):
            batch = self._batch(indices[first : first + size])
            shift = shifts[first : first + size]
            batches.append(batch.transpose(shift) if self._settings.transpose else batch)
        return batches

    def _batch(self, indices: NDArray[np.int64]) -> Fragments:
        """A batch of fragments; if grouped by length, no longer than the longest music in it."""
        frames, past, places = self._settings.frames, self._settings.past, self._starts[indices]
        if self._settings.group_by_length:
            frames = int(self._lengths[indices].max())
            past = min(past, max(int(places[:, 1].max()) - 1, 0))
        return self._corpus.fragments(places, frames, past)

    def _indices(self, step: int) -> NDArray[np.int64]:
        """The indices of the fragments of a step."""
        epoch, number = divmod(step, self.epoch)
        return self._order(epoch)[number * self._size : (number + 1) * self._size]

    def _shuffle(self, epoch: int) -> NDArray[np.int64]:
        """The order of fragments in an epoch."""
        rng = generator(self._seed, "order", epoch)
        order: NDArray[np.int64] = torch.randperm(len(self._starts), generator=rng).numpy()
        return self._group_by_length(order, rng) if self._settings.group_by_length else order

    def _group_by_length(self, order: NDArray[np.int64], rng: torch.Generator) -> NDArray[np.int64]:
        """Full batches of similar lengths in random order, followed by the fragments that fill none."""
        size = self._settings.batch
        full = len(order) // size
        pool = size * max(min(POOL, full // 2), 1)
        order[: full * size], rest = self._sort_pools(order[: full * size], pool), order[full * size :]
        batches = order[: full * size].reshape(full, size)[torch.randperm(full, generator=rng).numpy()]
        return np.concatenate([batches.reshape(-1), rest])

    def _sort_pools(self, order: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Sort each pool of fragments by length."""
        pools = (order[first : first + size] for first in range(0, len(order), size))
        sorted_pools = [pool[np.argsort(self._lengths[pool], kind="stable")] for pool in pools]
        return np.concatenate([*sorted_pools, order[:0]])


def _with_openings(starts: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Repeat the fragments that begin a piece until they have this share of all.

    Long pieces have few of them, so a model learns late how music begins, and generation from silence stays
    sparse for many bars. Which fragments are seen how often does not bias what follows a given past.
    """
    openings = starts[starts[:, 1] == 0]
    others = len(starts) - len(openings)
    repeats = math.ceil(share / (1 - share) * others / len(openings)) if len(openings) else 1
    return np.concatenate([starts, *[openings] * (repeats - 1)])


def check_music(model: Model, corpus: Corpus) -> None:
    """Check that the model can be trained on this music, before anything is written.

    Raises:
        DataError: the music is on another grid, has no training piece, or lacks a plane that a part needs.
    """
    model.check_grid(corpus.grid, corpus.name)
    problems = []
    if not corpus.frames:
        problems.append(Problem("there is no piece to train on", corpus.name, "add more pieces"))
    else:
        try:
            model.batch(corpus.fragments(corpus.starts()[:1], frames=1, past=0))
        except DataError as error:
            problems.extend(error.problems)
    if model.velocity.models_loudness and "velocity" not in corpus.planes:
        what = "this music has no velocities to train on"
        problems.append(Problem(what, corpus.name, "use velocity=none"))
    if model.decoder.uses_loudness and "velocity" not in corpus.planes:
        what = f"this music has no velocities, which decoder={model.recipe.parts['decoder'].entry.name} uses"
        problems.append(Problem(what, corpus.name, "use another decoder, such as decoder=rbm"))
    if problems:
        raise DataError(*problems)
