"""What a user may set of the hierarchy."""

from __future__ import annotations

from zoo.parts import Settings, setting


class HierarchicalSettings(Settings):
    """How many levels there are, how much slower each ticks, and how wide they are."""

    levels: int = setting(3, "how many levels; the first ticks every frame", ge=1, le=12)
    stride: int = setting(4, "how many ticks of a level make one of the next", ge=2, le=64)
    hidden: int = setting(100, "width of each level", ge=1, le=4096)
    features: int = setting(130, "width of the LSTM that joins all levels, the features", ge=1, le=4096)
