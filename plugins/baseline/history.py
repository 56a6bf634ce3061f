"""The attention of the baseline: what was played some beats and bars ago, weighted in every frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, in_frames, lagged, recent, with_clock

from .settings import HistorySettings

Memory = tuple[Tensor, Tensor]
HistoryState = tuple[Memory, Memory, Memory, Tensor]
"""The states of the local, reader and aggregation LSTMs, and the last frames (B, L, H), oldest first."""


class History(Attention):
    """Makes repetition easy: music that returns after a bar can be looked up instead of remembered.

    The original calls it HistoryUser. A local LSTM receives every frame. A second LSTM, the reader, predicts
    weights for the frames at a few lags: for the frame to be predicted, t+1, lag n is frame t+1-n. An
    aggregation LSTM combines the output of the local LSTM and the weighted sum of frames into the features.
    Frames before the past are silent.
    """

    def __init__(self, settings: HistorySettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        self.lags = in_frames(settings.lags, sizes.grid)
        self.local = LSTM(sizes.inputs + CLOCK, settings.local)
        self.reader = LSTM(sizes.inputs + CLOCK, settings.reader)
        self.weigh = nn.Linear(settings.reader, len(settings.lags))
        self.aggregation = LSTM(settings.local + sizes.inputs, settings.features)

    def start(self, past: Tensor) -> HistoryState:
        """Zero states, and the last frames of the past for the reader to look up."""
        batch, tail = past.shape[0], recent(past, max(self.lags))
        return self.local.start(batch), self.reader.start(batch), self.aggregation.start(batch), tail

    def forward(self, heard: Tensor, clock: Clock, state: HistoryState) -> tuple[Tensor, HistoryState]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        local, reader, aggregation, tail = state
        present = with_clock(heard, clock)
        outline, local = self.local(present, local)
        weights, reader = self._weights(present, reader)
        frames = torch.cat([tail, heard], dim=1)
        read = (weights.unsqueeze(-1) * lagged(frames, self.lags, heard.shape[1])).sum(2)
        features, aggregation = self.aggregation(torch.cat([outline, read], dim=-1), aggregation)
        return features, (local, reader, aggregation, frames[:, -tail.shape[1] :])

    def read_weights(self, heard: Tensor, clock: Clock, state: HistoryState) -> Tensor:
        """The weight of each lag in each frame, (B, T, lags), summing to one over the lags."""
        return self._weights(with_clock(heard, clock), state[1])[0]

    def _weights(self, present: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        hidden, memory = self.reader(present, memory)
        return self.weigh(hidden).softmax(-1), memory
