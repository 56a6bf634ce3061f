"""The velocity `newcomer`: loudness from the keys struck together and the loudness of the previous frame."""

import torch
from torch import Tensor, nn

from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import Sizes, State
from zoo.parts.loudness import LogisticVelocity


class NewcomerVelocity(LogisticVelocity):
    """Predicts the expected loudness of each key; `LogisticVelocity` does the rest."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.linear = nn.Linear(sizes.codes + 2 * sizes.keys, sizes.keys)

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Expected loudness (B, T, K) in 0..1 of each key if struck, and the state after the last frame."""
        logits: Tensor = self.linear(torch.cat([codes, struck, previous], dim=-1))
        return logits.sigmoid(), state


@hookimpl
def zoo_parts() -> list[Description]:
    """The parts in this file."""
    return [Description("velocity", "newcomer", "Loudness from the keys struck together", NewcomerVelocity)]
