"""The decoder `newcomer`: octaves from the pitch classes and the keys of the previous frame."""

import torch
from torch import Generator, Tensor, nn

from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import Decoder, LogProb, Sizes, State
from zoo.parts.masks import draw_keys, keys_log_prob


class NewcomerDecoder(Decoder):
    """An independent Bernoulli variable for each key, given that every active code has at least one key."""

    membership: Tensor

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.linear = nn.Linear(sizes.codes + sizes.keys, sizes.keys)
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)

    def logits(self, codes: Tensor, previous: Tensor) -> Tensor:
        """Logits (B, T, K) of the keys before conditioning."""
        logits: Tensor = self.linear(torch.cat([codes, previous], dim=-1))
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
        """Keys (B, 1, K) of the next frame."""
        logits = self.logits(codes, previous) / temperature
        return draw_keys(logits, codes, self.membership, generator, top_p), state


@hookimpl
def zoo_parts() -> list[Description]:
    """The parts in this file."""
    return [Description("decoder", "newcomer", "Octaves from the previous frame", NewcomerDecoder)]
