"""Loudness by an LSTM that shares nothing with the decoder, so it stands behind any of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.interfaces import Sizes
from zoo.parts.layers import LSTM
from zoo.parts.loudness import LogisticVelocity

from .settings import VelocitySettings

Memory = tuple[Tensor, Tensor]


class LSTMVelocity(LogisticVelocity):
    """Hears the codes of a frame and the loudness of the one before, and expects one loudness per key.

    With `struck` it also hears which keys are struck now: pitch classes do not tell a melody from the
    bass below it. The original heard the codes alone.
    """

    def __init__(self, settings: VelocitySettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        heard = sizes.codes + sizes.keys * (2 if settings.struck else 1)
        self.lstm = LSTM(heard, settings.hidden)
        self.linear = nn.Linear(settings.hidden, sizes.keys)

    def start(self, batch: int) -> Memory:
        """An empty memory."""
        return self.lstm.start(batch)

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Loudness (B, T, K) in 0..1, and the memory after the last frame."""
        heard = [codes, previous, struck] if self.settings.struck else [codes, previous]
        hidden, state = self.lstm(torch.cat(heard, dim=-1), state)
        return self.linear(hidden).sigmoid(), state
