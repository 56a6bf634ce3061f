"""The sampler `newcomer`."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from zoo.parts.interfaces import LogProb, Sampler, Sizes, State
from zoo.parts.masks import bernoulli_log_prob, flip, likely

from . import NewcomerSettings


class NewcomerSampler(Sampler):
    """A Bernoulli variable for each code, given the features and the lower codes of the same frame."""

    def __init__(self, settings: NewcomerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.network = nn.Sequential(
            nn.Linear(sizes.features, settings.hidden), nn.Tanh(), nn.Linear(settings.hidden, sizes.codes)
        )
        self.pairs = nn.Parameter(torch.zeros(sizes.codes, sizes.codes))

    def logits(self, features: Tensor, codes: Tensor) -> Tensor:
        """Logits (B, T, C), each given the lower codes."""
        logits: Tensor = self.network(features)
        return logits + codes @ self.pairs.tril(-1).T

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T)."""
        return -self.log_prob(features, codes, generator).value

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Exact log-probability (B, T) in nats, by the chain rule over the codes of a frame."""
        return LogProb(bernoulli_log_prob(self.logits(features, codes), codes).sum(-1))

    def sample(
        self,
        features: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Codes (B, 1, C), drawn from the lowest upwards; the temperature divides the logits."""
        codes = features.new_zeros(features.shape[0], 1, self.sizes.codes)
        for code in range(self.sizes.codes):
            logits = self.logits(features, codes)[..., code] / temperature
            codes[..., code] = flip(likely(logits.sigmoid(), top_p), generator).to(codes)
        return codes, state
