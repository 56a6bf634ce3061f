"""No loudness model: all notes are equally loud."""

from __future__ import annotations

import math

from torch import Generator, Tensor

from zoo.parts.interfaces import LogProb, State, Velocity


class Even(Velocity):
    """Plays every note at one level and learns nothing.

    It does not model loudness, so tables leave it out (`models_loudness`). Its log-probability is that of a
    uniform distribution: 127 equally likely velocities for each struck note.
    """

    models_loudness = False

    def loss(
        self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor, generator: Generator
    ) -> Tensor:
        """Zeros (B, T), without a gradient."""
        return codes.new_zeros(codes.shape[:2])

    def log_prob(self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor) -> LogProb:
        """-ln 127 for each struck note, summed over a frame (B, T)."""
        return LogProb(-math.log(127) * struck.sum(-1))

    def predict(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """The level at every struck key (B, T, K)."""
        return struck * (self.settings.level / 127), state
