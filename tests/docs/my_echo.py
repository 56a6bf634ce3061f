"""An attention that sees what came next a bar ago."""

import torch
from torch.nn.functional import pad

from zoo.parts import Description, Settings, hookimpl, setting
from zoo.parts.interfaces import Attention
from zoo.parts.layers import LSTM, lagged


class EchoSettings(Settings):
    """The length of a bar and the width of the LSTM."""

    bar: int = setting(16, "frames per bar", ge=1, le=1024)
    features: int = setting(64, "width of the LSTM and number of features", ge=1, le=4096)


class Echo(Attention):
    """An LSTM over each frame and the frame that came next a bar ago."""

    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.features = settings.features
        self.lstm = LSTM(2 * sizes.inputs, settings.features)

    def start(self, past):
        """The last bar of the past, padded with silence, and the initial state of the LSTM."""
        bar = self.settings.bar
        return pad(past, (0, 0, bar, 0))[:, -bar:], self.lstm.start(len(past))

    def forward(self, heard, clock, state):
        """Features (B, T, F), and the state after the last frame."""
        recent, memory = state
        bar = self.settings.bar
        frames = torch.cat([recent, heard], dim=1)
        next_then = lagged(frames, [bar], heard.shape[1]).flatten(2)
        features, memory = self.lstm(torch.cat([heard, next_then], dim=-1), memory)
        return features, (frames[:, -bar:], memory)


@hookimpl
def zoo_parts():
    """The parts of this file."""
    return [
        Description(
            slot="attention",
            name="echo",
            summary="An LSTM over each frame and the one that came next a bar ago",
            target=Echo,
            settings=EchoSettings,
            gives=lambda settings: {"features": settings.features},
        )
    ]
