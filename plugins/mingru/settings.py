"""Settings of the minimal GRUs."""

from __future__ import annotations

from zoo.parts import Settings, setting


class MinGRUSettings(Settings):
    """Width, depth and dropout."""

    hidden: int = setting(256, "width of each layer; also the number of features", ge=1, le=4096)
    layers: int = setting(3, "number of layers", ge=1, le=32)
    dropout: float = setting(
        0.2, "dropout probability at the input of each layer but the lowest", ge=0, le=0.95
    )
