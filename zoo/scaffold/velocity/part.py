"""The velocity `newcomer`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.interfaces import Sizes, State
from zoo.parts.loudness import LogisticVelocity

from . import NewcomerSettings


class NewcomerVelocity(LogisticVelocity):
    """Predicts the expected loudness of each key from the keys struck with it and the previous loudness.

    Training, scoring and prediction follow from that; see `LogisticVelocity`.
    """

    def __init__(self, settings: NewcomerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.network = nn.Sequential(
            nn.Linear(sizes.codes + 2 * sizes.keys, settings.hidden),
            nn.Tanh(),
            nn.Linear(settings.hidden, sizes.keys),
        )

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Expected loudness (B, T, K) in 0..1 of each key if struck, and the state after the last frame."""
        logits: Tensor = self.network(torch.cat([codes, struck, previous], dim=-1))
        return logits.sigmoid(), state
