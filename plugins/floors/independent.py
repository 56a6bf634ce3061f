"""Codes that are independent of each other given the features."""

from __future__ import annotations

from torch import Generator, Tensor, nn

from zoo.parts import Settings
from zoo.parts.interfaces import LogProb, Sampler, Sizes, State
from zoo.parts.masks import bernoulli_log_prob, flip, likely


class Independent(Sampler):
    """A Bernoulli distribution for each code given the features: the output layer of a plain RNN.

    The gain of a sampler over this one measures the dependence between the notes of a frame.
    """

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.linear = nn.Linear(sizes.features, sizes.codes)

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T), cross-entropy summed over codes."""
        return -bernoulli_log_prob(self.linear(features), codes).sum(-1)

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Exact log-probabilities (B, T)."""
        return LogProb(bernoulli_log_prob(self.linear(features), codes).sum(-1))

    def sample(
        self,
        features: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Independent codes (B, 1, C); the temperature divides the logits."""
        logits: Tensor = self.linear(features) / temperature
        return flip(likely(logits.sigmoid(), top_p), generator).to(features), state
