"""The attention of the baseline without its reader."""

from __future__ import annotations

from torch import Tensor

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, with_clock

from .settings import LocalSettings

Memory = tuple[Tensor, Tensor]


class Local(Attention):
    """Two stacked LSTMs, without access to earlier frames except through their states.

    This is the attention of the baseline without its reader. Its widths are settings, so that it can have as
    many parameters as the attention it is compared with.
    """

    def __init__(self, settings: LocalSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        self.local = LSTM(sizes.inputs + CLOCK, settings.local)
        self.aggregation = LSTM(settings.local, settings.features)

    def start(self, past: Tensor) -> tuple[Memory, Memory]:
        """Zero states; the past is ignored."""
        return self.local.start(past.shape[0]), self.aggregation.start(past.shape[0])

    def forward(
        self, heard: Tensor, clock: Clock, state: tuple[Memory, Memory]
    ) -> tuple[Tensor, tuple[Memory, Memory]]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        local, aggregation = state
        outline, local = self.local(with_clock(heard, clock), local)
        features, aggregation = self.aggregation(outline, aggregation)
        return features, (local, aggregation)
