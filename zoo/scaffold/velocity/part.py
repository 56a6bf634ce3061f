"""The velocity `newcomer`."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from zoo.parts.interfaces import LogProb, Sizes, State, Velocity

from . import NewcomerSettings

LOUDEST = 127


class NewcomerVelocity(Velocity):
    """Expects one loudness of each key; what is played scatters around it with a spread that is learned."""

    def __init__(self, settings: NewcomerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.network = nn.Sequential(
            nn.Linear(sizes.codes + 2 * sizes.keys, settings.hidden),
            nn.Tanh(),
            nn.Linear(settings.hidden, sizes.keys),
        )
        self.log_spread = nn.Parameter(torch.tensor(2.0))

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor) -> Tensor:
        """Loudness (B, T, K) in 0..1 of each key if it is struck."""
        logits: Tensor = self.network(torch.cat([codes, struck, previous], dim=-1))
        return logits.sigmoid()

    def loss(
        self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor, generator: Generator
    ) -> Tensor:
        """The negative log-likelihood (B, T)."""
        return -self.log_prob(codes, struck, loudness, previous).value

    def log_prob(self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor) -> LogProb:
        """Exact nats (B, T): each velocity 1..127 is the less likely the further from what is expected."""
        notes = struck > 0
        centre = self.expect(codes, struck, previous)[notes].unsqueeze(-1) * LOUDEST
        velocities = torch.arange(1, LOUDEST + 1, device=self.device)
        chances = (-(velocities - centre).abs() / self.log_spread.clamp(-2, 6).exp()).log_softmax(-1)
        played = (loudness[notes] * LOUDEST).round().long().clamp(1, LOUDEST) - 1
        nats = torch.zeros_like(struck)
        nats[notes] = chances.gather(-1, played.unsqueeze(-1)).squeeze(-1)
        return LogProb(nats.sum(-1))

    def predict(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """What is expected of the struck keys, 0 at all others (B, T, K)."""
        return self.expect(codes, struck, previous).masked_fill(struck <= 0, 0), state
