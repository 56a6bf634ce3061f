"""A stack of minimal GRUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import with_clock

from .scan import gated_average
from .settings import MinGRUSettings

LONGEST = 64
"""Frames over which the slowest units average at initialization."""


class MinGRU(Attention):
    """A memory that processes a whole fragment at once and trains several times as fast as an equal LSTM.

    A unit averages its input: h = (1 - z) h + z n. The gate z and the candidate n depend on the present only,
    not on the hidden state, so all frames are computed in parallel; several layers make up for the missing
    recurrence. Each layer receives the normalized sum of all layers below and adds to it. At initialization
    the units average over 2 to 64 frames, so that a beat and several bars are within reach from the start
    (Tallec and Ollivier, Can Recurrent Neural Networks Warp Time?, ICLR 2018). The past before a fragment is
    ignored.
    """

    def __init__(self, settings: MinGRUSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        width = self.features = settings.hidden
        self.lowest = _layer(sizes.inputs + CLOCK, width)
        self.higher = nn.ModuleList(_layer(width, width) for _ in range(settings.layers - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.higher)
        self.dropout = nn.Dropout(settings.dropout)

    def start(self, past: Tensor) -> tuple[Tensor, ...]:
        """Zero states, one per layer."""
        return tuple(past.new_zeros(len(past), self.features) for _ in range(self.settings.layers))

    def forward(
        self, heard: Tensor, clock: Clock, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        features = gated_average(self.lowest(with_clock(heard, clock)), state[0])
        after = [features[:, -1]]
        for layer, norm, before in zip(self.higher, self.norms, state[1:], strict=True):
            average = gated_average(layer(self.dropout(norm(features))), before)
            features = features + average
            after.append(average[:, -1])
        return features, tuple(after)


def _layer(inputs: int, width: int) -> nn.Linear:
    """The gates and candidates of a layer, with gates initialized to spans of 2 to `LONGEST` frames."""
    layer = nn.Linear(inputs, 2 * width)
    with torch.no_grad():
        spans = torch.logspace(1, torch.tensor(float(LONGEST)).log2(), width, base=2)
        layer.bias[:width] = -(spans - 1).log()
    return layer
