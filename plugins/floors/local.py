"""The baseline without its reader."""

from __future__ import annotations

from torch import Tensor

from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.parts.layers import LSTM, with_clock

from .settings import LocalSettings

Memory = tuple[Tensor, Tensor]


class Local(Attention):
    """Two LSTMs, one over the other, that hear every frame and look nothing up.

    What is left of the baseline's attention without its reader. Its widths are settings, so that it can
    be given as many parameters as any attention it stands beside.
    """

    def __init__(self, settings: LocalSettings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = settings.features
        self.local = LSTM(sizes.codes + CLOCK, settings.local)
        self.aggregation = LSTM(settings.local, settings.features)

    def start(self, past: Tensor) -> tuple[Memory, Memory]:
        """Empty memories; the past is not looked at."""
        return self.local.start(past.shape[0]), self.aggregation.start(past.shape[0])

    def forward(
        self, codes: Tensor, clock: Clock, state: tuple[Memory, Memory]
    ) -> tuple[Tensor, tuple[Memory, Memory]]:
        """Features (B, T, F) and the state after the last frame; see `Attention.forward`."""
        local, aggregation = state
        outline, local = self.local(with_clock(codes, clock), local)
        features, aggregation = self.aggregation(outline, aggregation)
        return features, (local, aggregation)
