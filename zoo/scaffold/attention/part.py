"""The attention `newcomer`."""

from __future__ import annotations

from torch import Tensor

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, with_clock

from . import NewcomerSettings

Memory = tuple[Tensor, Tensor]


class NewcomerAttention(Attention):
    """An LSTM over the frames and their position in the bar; its hidden state is the features."""

    def __init__(self, settings: NewcomerSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        self.lstm = LSTM(sizes.inputs + CLOCK, settings.features)

    def start(self, past: Tensor) -> Memory:
        """The initial state of the LSTM; the past (B, P, H) is not used."""
        return self.lstm.start(past.shape[0])

    def forward(self, heard: Tensor, clock: Clock, state: Memory) -> tuple[Tensor, Memory]:
        """Features (B, T, F), each from frames up to its own, and the state after the last."""
        features, state = self.lstm(with_clock(heard, clock), state)
        return features, state
