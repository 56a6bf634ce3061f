"""No memory."""

from __future__ import annotations

from torch import Tensor

from zoo.parts import Settings
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Attention, Sizes, State


class Last(Attention):
    """The features are the frame itself; there are no parameters and no state."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.features = sizes.inputs

    def start(self, past: Tensor) -> State:
        """No state."""
        return ()

    def forward(self, heard: Tensor, clock: Clock, state: State) -> tuple[Tensor, State]:
        """The frames (B, T, H), unchanged."""
        return heard, state
