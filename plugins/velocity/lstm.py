"""Loudness from an LSTM that shares nothing with the decoder and so works with any of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.interfaces import Sizes
from zoo.parts.layers import LSTM
from zoo.parts.loudness import LogisticVelocity

from .settings import VelocitySettings

Memory = tuple[Tensor, Tensor]


class LSTMVelocity(LogisticVelocity):
    """Predicts one loudness per key from the codes of a frame and the loudness of the frame before.

    With `struck` the struck keys of the frame are also an input, because pitch classes do not distinguish a
    melody from its bass. The input of the original is the codes alone.
    """

    def __init__(self, settings: VelocitySettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        inputs = sizes.codes + sizes.keys * (2 if settings.struck else 1)
        self.lstm = LSTM(inputs, settings.hidden)
        self.linear = nn.Linear(settings.hidden, sizes.keys)

    def start(self, batch: int) -> Memory:
        """A zero state."""
        return self.lstm.start(batch)

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Loudness (B, T, K) in 0..1, and the state after the last frame."""
        inputs = [codes, previous, struck] if self.settings.struck else [codes, previous]
        hidden, state = self.lstm(torch.cat(inputs, dim=-1), state)
        return self.linear(hidden).sigmoid(), state
