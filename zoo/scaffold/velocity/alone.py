"""The velocity `newcomer`: each key has a loudness of its own."""

import torch
from torch import Generator, Tensor, nn

from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import LogProb, Sizes, State, Velocity

LOUDEST = 127


class NewcomerVelocity(Velocity):
    """Learns how loud each key is, and how far what is played scatters around that."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.level = nn.Parameter(torch.zeros(sizes.keys))
        self.log_spread = nn.Parameter(torch.tensor(2.0))

    def loss(
        self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor, generator: Generator
    ) -> Tensor:
        """The negative log-likelihood (B, T)."""
        return -self.log_prob(codes, struck, loudness, previous).value

    def log_prob(self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor) -> LogProb:
        """Exact nats (B, T): each velocity 1..127 is the less likely the further from the key's own."""
        velocities = torch.arange(1, LOUDEST + 1, device=self.device)
        away = (velocities - self.level.sigmoid().unsqueeze(-1) * LOUDEST).abs()
        chances = (-away / self.log_spread.clamp(-2, 6).exp()).log_softmax(-1)
        played = (loudness * LOUDEST).round().long().clamp(1, LOUDEST) - 1
        nats = chances[torch.arange(self.sizes.keys, device=self.device), played]
        return LogProb(nats.masked_fill(struck <= 0, 0).sum(-1))

    def predict(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """The loudness of the struck keys, 0 at all others (B, T, K)."""
        return struck * self.level.sigmoid(), state


@hookimpl
def zoo_parts() -> list[Description]:
    """The parts in this file."""
    return [Description("velocity", "newcomer", "Each key has its own loudness", NewcomerVelocity)]
