"""The attention `newcomer`."""

from __future__ import annotations

from torch import Tensor

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, heard

from . import NewcomerSettings

Memory = tuple[Tensor, Tensor]


class NewcomerAttention(Attention):
    """Hears the codes and the place in the bar, frame after frame; what it remembers are the features."""

    def __init__(self, settings: NewcomerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        self.lstm = LSTM(sizes.codes + CLOCK, settings.features)

    def start(self, past: Tensor) -> Memory:
        """An empty memory; the past (B, P, C) is not looked at."""
        return self.lstm.start(past.shape[0])

    def forward(self, codes: Tensor, clock: Clock, state: Memory) -> tuple[Tensor, Memory]:
        """Features (B, T, F), which may depend on codes up to and including t, and the memory after."""
        features, state = self.lstm(heard(codes, clock), state)
        return features, state
