"""The attention `newcomer`: one LSTM that hears every frame."""

from torch import Tensor

from zoo.parts import Description, Settings, hookimpl
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Attention, Sizes, State
from zoo.parts.layers import LSTM


class NewcomerAttention(Attention):
    """Hears the codes, frame after frame; what it remembers are the features."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = 64
        self.lstm = LSTM(sizes.codes, self.features)

    def start(self, past: Tensor) -> State:
        """An empty memory; the past (B, P, C) is not looked at."""
        return self.lstm.start(past.shape[0])

    def forward(self, codes: Tensor, clock: Clock, state: State) -> tuple[Tensor, State]:
        """Features (B, T, F) and the memory after the last frame."""
        features, state = self.lstm(codes, state)
        return features, state


@hookimpl
def zoo_parts() -> list[Description]:
    """The parts in this file."""
    return [Description("attention", "newcomer", "One LSTM that hears every frame", NewcomerAttention)]
