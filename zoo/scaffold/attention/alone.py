"""The attention `newcomer`: an LSTM over every frame."""

from torch import Tensor

from zoo.parts import Description, Settings, hookimpl
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Attention, Sizes, State
from zoo.parts.layers import LSTM


class NewcomerAttention(Attention):
    """An LSTM over the frames; its hidden state is the features."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = 64
        self.lstm = LSTM(sizes.inputs, self.features)

    def start(self, past: Tensor) -> State:
        """The initial state of the LSTM; the past (B, P, H) is not used."""
        return self.lstm.start(past.shape[0])

    def forward(self, heard: Tensor, clock: Clock, state: State) -> tuple[Tensor, State]:
        """Features (B, T, F) and the state after the last frame."""
        features, state = self.lstm(heard, state)
        return features, state


@hookimpl
def zoo_parts() -> list[Description]:
    """The parts in this file."""
    return [Description("attention", "newcomer", "An LSTM over every frame", NewcomerAttention)]
