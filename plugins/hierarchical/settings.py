"""Settings of the hierarchical attention."""

from __future__ import annotations

from typing import Literal, get_args

from zoo.parts import Settings, setting

Level = Literal["frame", "beat", "bar", "2bars", "4bars", "8bars", "16bars"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""From the fastest to the slowest."""


class HierarchicalSettings(Settings):
    """When the levels tick, and how wide they are."""

    levels: tuple[Level, ...] = setting(
        ("frame", "beat", "bar"), "when each level ticks, from the fastest to the slowest", min_length=1
    )
    hidden: int = setting(100, "width of each level", ge=1, le=4096)
    features: int = setting(
        130, "width of the LSTM that combines the levels; also the number of features", ge=1, le=4096
    )
