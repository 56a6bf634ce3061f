"""The past at fixed lags, concatenated."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, in_frames, lagged, recent, with_clock

from .settings import LagsSettings

LagsState = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor]
"""The states of the local and aggregation LSTMs, and the last frames (B, L, H), oldest first."""


class Lags(Attention):
    """Repetition without attention weights: the aggregation LSTM receives the frames at all lags at once.

    If `history`, which averages the same lags with learned weights, is not better than this, then looking
    back is what helps, not the weighting. Frames before the past are silent.
    """

    def __init__(self, settings: LagsSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        self.lags = in_frames(settings.lags, sizes.grid)
        self.local = LSTM(sizes.inputs + CLOCK, settings.local)
        self.aggregation = LSTM(settings.local + len(settings.lags) * sizes.inputs, settings.features)

    def start(self, past: Tensor) -> LagsState:
        """Zero states, and the last frames of the past."""
        batch, tail = past.shape[0], recent(past, max(self.lags))
        return self.local.start(batch), self.aggregation.start(batch), tail

    def forward(self, heard: Tensor, clock: Clock, state: LagsState) -> tuple[Tensor, LagsState]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        local, aggregation, tail = state
        outline, local = self.local(with_clock(heard, clock), local)
        frames = torch.cat([tail, heard], dim=1)
        earlier = lagged(frames, self.lags, heard.shape[1]).flatten(2)
        features, aggregation = self.aggregation(torch.cat([outline, earlier], dim=-1), aggregation)
        return features, (local, aggregation, frames[:, -tail.shape[1] :])
