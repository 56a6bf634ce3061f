"""The decoder `newcomer`."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from zoo.parts.interfaces import Decoder, LogProb, Sizes, State
from zoo.parts.masks import draw_keys, keys_log_prob

from . import NewcomerSettings


class NewcomerDecoder(Decoder):
    """An independent Bernoulli variable for each key, given that every active code has at least one key."""

    membership: Tensor

    def __init__(self, settings: NewcomerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.network = nn.Sequential(
            nn.Linear(sizes.codes + sizes.keys, settings.hidden),
            nn.Tanh(),
            nn.Linear(settings.hidden, sizes.keys),
        )
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)

    def logits(self, codes: Tensor, previous: Tensor) -> Tensor:
        """Logits (B, T, K) of the keys before conditioning."""
        logits: Tensor = self.network(torch.cat([codes, previous], dim=-1))
        return logits

    def loss(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T)."""
        return -self.log_prob(codes, keys, previous, generator).value

    def log_prob(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> LogProb:
        """Exact log-probability (B, T) in nats, normalised over the key sets that fold to the codes."""
        return LogProb(keys_log_prob(self.logits(codes, previous), keys, codes, self.membership))

    def sample(
        self,
        codes: Tensor,
        previous: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Keys (B, 1, K) that fold to the codes; the temperature divides the logits."""
        logits = self.logits(codes, previous) / temperature
        return draw_keys(logits, codes, self.membership, generator, top_p), state
