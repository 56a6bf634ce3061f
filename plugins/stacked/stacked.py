"""LSTMs over one another."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, with_clock

from .settings import StackedSettings

Memories = tuple[tuple[Tensor, Tensor], ...]
"""The memory of each layer, from the lowest up."""


class Stacked(Attention):
    """Every layer hears what the layers below have made of the music so far, and adds to it.

    The first LSTM hears the codes and the place in the bar. Each further one hears the sum of all below,
    normalised, and its output is added to that sum (a shortcut, so that a layer only learns what the others
    lack). Dropout lies on the input of these layers. The past before a fragment is not looked at.
    """

    def __init__(self, settings: StackedSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        width = self.features = settings.hidden
        self.lowest = LSTM(sizes.codes + CLOCK, width)
        self.higher = nn.ModuleList(LSTM(width, width) for _ in range(settings.layers - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.higher)
        self.dropout = nn.Dropout(settings.dropout)

    def start(self, past: Tensor) -> Memories:
        """Empty memories."""
        return tuple(self.lowest.start(len(past)) for _ in range(self.settings.layers))

    def forward(self, codes: Tensor, clock: Clock, state: Memories) -> tuple[Tensor, Memories]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        features, memory = self.lowest(with_clock(codes, clock), state[0])
        after = [memory]
        for layer, norm, before in zip(self.higher, self.norms, state[1:], strict=True):
            more, memory = layer(self.dropout(norm(features)), before)
            features = features + more
            after.append(memory)
        return features, tuple(after)
