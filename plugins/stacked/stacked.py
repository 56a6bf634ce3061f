"""A stack of LSTMs."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, with_clock

from .settings import StackedSettings

Memories = tuple[tuple[Tensor, Tensor], ...]
"""The state of each layer, from the lowest up."""


class Stacked(Attention):
    """A stack of LSTMs with residual connections.

    The first LSTM receives each frame and its position in the bar. Each further LSTM receives the normalized
    sum of all outputs below, and its output is added to that sum. Dropout applies to the input of these
    layers. The past before a fragment is ignored.
    """

    def __init__(self, settings: StackedSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        width = self.features = settings.hidden
        self.lowest = LSTM(sizes.inputs + CLOCK, width)
        self.higher = nn.ModuleList(LSTM(width, width) for _ in range(settings.layers - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.higher)
        self.dropout = nn.Dropout(settings.dropout)

    def start(self, past: Tensor) -> Memories:
        """Zero states."""
        return tuple(self.lowest.start(len(past)) for _ in range(self.settings.layers))

    def forward(self, heard: Tensor, clock: Clock, state: Memories) -> tuple[Tensor, Memories]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        features, memory = self.lowest(with_clock(heard, clock), state[0])
        after = [memory]
        for layer, norm, before in zip(self.higher, self.norms, state[1:], strict=True):
            output, memory = layer(self.dropout(norm(features)), before)
            features = features + output
            after.append(memory)
        return features, tuple(after)
