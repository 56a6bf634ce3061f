"""Settings of the stacked LSTMs."""

from __future__ import annotations

from zoo.parts import Settings, setting


class StackedSettings(Settings):
    """Width, depth and dropout."""

    hidden: int = setting(256, "width of each LSTM; also the number of features", ge=1, le=4096)
    layers: int = setting(2, "number of LSTMs", ge=1, le=16)
    dropout: float = setting(
        0.2, "dropout probability at the input of each LSTM but the lowest", ge=0, le=0.95
    )
