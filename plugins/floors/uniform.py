"""Octaves at random."""

from __future__ import annotations

from torch import Generator, Tensor

from zoo.parts import Settings
from zoo.parts.interfaces import Decoder, LogProb, Sizes, State
from zoo.parts.masks import draw_keys, keys_log_prob


class Uniform(Decoder):
    """All sets of keys that fold to the codes are equally likely; there are no parameters.

    If every key is a code of its own there is one such set, and the decoder contributes 0 nats.
    """

    membership: Tensor

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)

    def loss(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T); there is nothing to learn from it."""
        return -self.log_prob(codes, keys, previous, generator).value

    def log_prob(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> LogProb:
        """Exact log-probabilities (B, T)."""
        fair = previous.new_zeros(keys.shape)
        return LogProb(keys_log_prob(fair, keys, codes, self.membership))

    def sample(
        self,
        codes: Tensor,
        previous: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Keys (B, 1, K) that fold to the codes; neither `temperature` nor `top_p` has an effect."""
        fair = previous.new_zeros(previous.shape)
        return draw_keys(fair, codes, self.membership, generator), state
