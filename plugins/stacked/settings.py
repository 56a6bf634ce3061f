"""What a user may set of the stacked LSTMs."""

from __future__ import annotations

from zoo.parts import Settings, setting


class StackedSettings(Settings):
    """Width, depth and dropout."""

    hidden: int = setting(256, "width of each LSTM, the features", ge=1, le=4096)
    layers: int = setting(2, "LSTMs over one another", ge=1, le=16)
    dropout: float = setting(
        0.2, "share of each layer's input left out in training, against learning by heart", ge=0, le=0.95
    )
