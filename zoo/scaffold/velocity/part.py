"""The velocity `newcomer`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.interfaces import Sizes, State
from zoo.parts.loudness import LogisticVelocity

from . import NewcomerSettings


class NewcomerVelocity(LogisticVelocity):
    """Expects one loudness of each key, after what is struck with it and how loud it was just before.

    Training, scoring and playing follow from what is expected; see `LogisticVelocity`.
    """

    def __init__(self, settings: NewcomerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.network = nn.Sequential(
            nn.Linear(sizes.codes + 2 * sizes.keys, settings.hidden),
            nn.Tanh(),
            nn.Linear(settings.hidden, sizes.keys),
        )

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Loudness (B, T, K) in 0..1 of each key if it is struck, and the state after the last frame."""
        logits: Tensor = self.network(torch.cat([codes, struck, previous], dim=-1))
        return logits.sigmoid(), state
