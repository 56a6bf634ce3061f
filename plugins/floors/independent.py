"""Codes that do not listen to each other."""

from __future__ import annotations

from torch import Generator, Tensor, nn

from zoo.parts import Settings
from zoo.parts.interfaces import LogProb, Sampler, Sizes, State
from zoo.parts.masks import bernoulli_log_prob, flip


class Independent(Sampler):
    """One coin for each code, weighted by the features alone: the output layer of a plain RNN.

    What a sampler gains over this is what the notes of one frame say about each other.
    """

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.linear = nn.Linear(sizes.features, sizes.codes)

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T), cross-entropy summed over codes."""
        return -bernoulli_log_prob(self.linear(features), codes).sum(-1)

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Exact nats (B, T)."""
        return LogProb(bernoulli_log_prob(self.linear(features), codes).sum(-1))

    def sample(
        self, features: Tensor, state: State, generator: Generator, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        """One coin for each code (B, 1, C); the temperature divides the logits."""
        logits: Tensor = self.linear(features) / temperature
        return flip(logits.sigmoid(), generator).to(features), state
