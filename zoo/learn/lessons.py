"""What the model hears: the batches of fragments it learns from.

Which fragments a step hears, and how they are transposed, follows from the seed and the step alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.data import Corpus
from zoo.data.fragments import Fragments
from zoo.errors import DataError, Problem
from zoo.learn.settings import TrainSettings
from zoo.model.model import Model
from zoo.model.random import generator

LOWEST, HIGHEST = -6, 5
"""Semitones a fragment may be shifted: each of the twelve keys once, as near as can be."""


class Lessons:
    """The batches of training, one for each step.

    Attributes:
        epoch: how many steps it takes to hear all fragments; a rest smaller than a batch waits for
            another epoch, in another order.
    """

    def __init__(self, corpus: Corpus, settings: TrainSettings, seed: int) -> None:
        self._corpus = corpus
        self._settings = settings = settings.on_grid(corpus.grid)
        self._seed = seed
        self._starts = corpus.starts(settings.frames, settings.stride)
        self.epoch = max(len(self._starts) // settings.batch, 1)
        self._order = lru_cache(maxsize=1)(self._shuffled)

    def places(self, step: int) -> NDArray[np.int64]:
        """Where the fragments of a step lie: (B, 2) of (piece, first frame)."""
        epoch, number = divmod(step, self.epoch)
        first = number * self._settings.batch
        chosen: NDArray[np.int64] = self._starts[self._order(epoch)[first : first + self._settings.batch]]
        return chosen

    def shifts(self, step: int) -> torch.Tensor:
        """By how many semitones each fragment of a step is shifted, (B,)."""
        size = (len(self.places(step)),)
        if not self._settings.transpose:
            return torch.zeros(size, dtype=torch.int64)
        return torch.randint(LOWEST, HIGHEST + 1, size, generator=generator(self._seed, "transpose", step))

    def batch(self, step: int) -> Fragments:
        """The fragments of a step."""
        found = self._corpus.fragments(self.places(step), self._settings.frames, self._settings.past)
        return found.transpose(self.shifts(step)) if self._settings.transpose else found

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        chance = generator(self._seed, "order", epoch)
        order: NDArray[np.int64] = torch.randperm(len(self._starts), generator=chance).numpy()
        return order


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
            model.lesson(corpus.fragments(corpus.starts()[:1], frames=1, past=0))
        except DataError as error:
            problems.extend(error.problems)
    if model.velocity.models_loudness and "velocity" not in corpus.planes:
        what = "nobody knows how loud this music is played, so loudness cannot be learned from it"
        problems.append(Problem(what, corpus.name, "leave loudness out with velocity=none"))
    if problems:
        raise DataError(*problems)
