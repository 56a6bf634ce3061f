"""The batches of fragments that a model is trained on.

The fragments of a step, and their transpositions, depend on the seed and the step only.
"""

from __future__ import annotations

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
"""Semitones a fragment may be shifted: each of the twelve keys once, as near as can be."""
POOL = 50
"""Batches whose fragments are sorted by length together: more leave less padding, fewer more chance in what
meets in a batch. A small corpus has at least two pools."""


class TrainingBatches:
    """The batches of training, one for each step.

    Attributes:
        epoch: steps of one pass over all fragments; a rest smaller than a step waits for another epoch, in
            another order.
    """

    def __init__(self, corpus: Corpus, settings: TrainSettings, seed: int, ranks: Ranks = ALONE) -> None:
        self._corpus = corpus
        self._settings = settings = settings.on_grid(corpus.grid)
        self._seed = seed
        self._ranks = ranks
        self._starts = corpus.starts(settings.frames, settings.stride)
        pieces = np.array([piece.frames for piece in corpus.pieces], np.int64)
        self._lengths = np.minimum(pieces[self._starts[:, 0]] - self._starts[:, 1], settings.frames)
        self._size = settings.batch * settings.accumulate * ranks.count
        self.epoch = max(len(self._starts) // self._size, 1)
        self._order = lru_cache(maxsize=1)(self._shuffled)

    def places(self, step: int) -> NDArray[np.int64]:
        """Where the fragments of a step lie: (B, 2) of (piece, first frame)."""
        chosen: NDArray[np.int64] = self._starts[self._chosen(step)]
        return chosen

    def shifts(self, step: int) -> torch.Tensor:
        """By how many semitones each fragment of a step is shifted, (B,)."""
        size = (len(self.places(step)),)
        if not self._settings.transpose:
            return torch.zeros(size, dtype=torch.int64)
        return torch.randint(LOWEST, HIGHEST + 1, size, generator=generator(self._seed, "transpose", step))

    def at(self, step: int) -> list[Fragments]:
        """The fragments of a step, in as many batches as its gradient is accumulated over.

        Of several ranks each has its own: the first of two has every other batch, from the first one.
        """
        size, ranks = self._settings.batch, self._ranks
        shifts, chosen = self.shifts(step), self._chosen(step)
        parts = []
        for first in range(ranks.number * size, len(chosen), ranks.count * size):
            part = self._batch(chosen[first : first + size])
            parts.append(part.transpose(shifts[first : first + size]) if self._settings.transpose else part)
        return parts

    def _batch(self, chosen: NDArray[np.int64]) -> Fragments:
        """Fragments by their numbers; those grouped by length are no longer than the music in them."""
        frames, past, places = self._settings.frames, self._settings.past, self._starts[chosen]
        if self._settings.group_by_length:
            frames = int(self._lengths[chosen].max())
            past = min(past, max(int(places[:, 1].max()) - 1, 0))
        return self._corpus.fragments(places, frames, past)

    def _chosen(self, step: int) -> NDArray[np.int64]:
        epoch, number = divmod(step, self.epoch)
        return self._order(epoch)[number * self._size : (number + 1) * self._size]

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        chance = generator(self._seed, "order", epoch)
        order: NDArray[np.int64] = torch.randperm(len(self._starts), generator=chance).numpy()
        return self._grouped(order, chance) if self._settings.group_by_length else order

    def _grouped(self, order: NDArray[np.int64], chance: torch.Generator) -> NDArray[np.int64]:
        """Whole batches of similar lengths in a random order, what fills none of them last."""
        size = self._settings.batch
        whole = len(order) // size
        pool = size * max(min(POOL, whole // 2), 1)
        order[: whole * size], rest = self._sorted(order[: whole * size], pool), order[whole * size :]
        batches = order[: whole * size].reshape(whole, size)[torch.randperm(whole, generator=chance).numpy()]
        return np.concatenate([batches.reshape(-1), rest])

    def _sorted(self, order: NDArray[np.int64], pool: int) -> NDArray[np.int64]:
        """Pools of fragments, each sorted by length."""
        pools = (order[first : first + pool] for first in range(0, len(order), pool))
        sorted_pools = [each[np.argsort(self._lengths[each], kind="stable")] for each in pools]
        return np.concatenate([*sorted_pools, order[:0]])


def check_music(model: Model, corpus: Corpus) -> None:
    """Refuse, before anything is written, music that the model cannot learn from.

    Raises:
        DataError: it is on another grid, there is no piece to train on, or it lacks the plane that a part
            needs.
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
        what = "the music has no velocities, so loudness cannot be learned from it"
        problems.append(Problem(what, corpus.name, "leave loudness out with velocity=none"))
    if problems:
        raise DataError(*problems)
