"""The decoder of the baseline: an LSTM and a Bernoulli distribution for each key."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from zoo.parts.interfaces import Decoder, LogProb, Sizes
from zoo.parts.layers import LSTM
from zoo.parts.masks import bernoulli_log_prob, draw_keys, keys_log_prob

from .settings import LSTMSettings

Memory = tuple[Tensor, Tensor]


class LSTMDecoder(Decoder):
    """Predicts an independent probability for each key from the codes and the keys of the frame before.

    Keys of silent codes never sound. Scoring and sampling condition the keys on every active code having at
    least one key, which the original does not ensure. The objective `coins` trains without that condition,
    as the original does: the probabilities are then marginal frequencies, and conditioning them makes keys
    sound too often. `conditional` trains the distribution that is scored.
    """

    membership: Tensor

    def __init__(self, settings: LSTMSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.lstm = LSTM(sizes.codes + sizes.keys, settings.hidden)
        self.linear = nn.Linear(settings.hidden, sizes.keys)
        self.register_buffer("membership", sizes.membership.clone(), persistent=False)

    def start(self, batch: int) -> Memory:
        """A zero state."""
        return self.lstm.start(batch)

    def logits(self, codes: Tensor, previous: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Unconditional logits (B, T, K) of the keys, and the state after the last frame."""
        hidden, state = self.lstm(torch.cat([codes, previous], dim=-1), state)
        return self.linear(hidden), state

    def loss(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> Tensor:
        """Cross-entropy (B, T) of the keys of active codes, as the objective defines it."""
        if self.settings.objective == "conditional":
            return -self.log_prob(codes, keys, previous, generator).value
        logits, _ = self.logits(codes, previous, self.start(codes.shape[0]))
        silent = codes @ self.membership.to(codes) <= 0
        return -bernoulli_log_prob(logits, keys).masked_fill(silent, 0).sum(-1)

    def log_prob(self, codes: Tensor, keys: Tensor, previous: Tensor, generator: Generator) -> LogProb:
        """Exact log-probabilities (B, T) among the key sets that fold to the codes."""
        logits, _ = self.logits(codes, previous, self.start(codes.shape[0]))
        return LogProb(keys_log_prob(logits, keys, codes, self.membership))

    def sample(
        self,
        codes: Tensor,
        previous: Tensor,
        state: Memory,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, Memory]:
        """Keys (B, 1, K) that fold to the codes; the temperature divides the logits."""
        logits, state = self.logits(codes, previous, state)
        return draw_keys(logits / temperature, codes, self.membership, generator, top_p), state

    def follow(self, codes: Tensor, previous: Tensor, state: Memory) -> Memory:
        """The state after known frames."""
        return self.logits(codes, previous, state)[1]
