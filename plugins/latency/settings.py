"""What a user may set of the delay lines."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from zoo.parts import Settings, setting

Lag = Annotated[int, Field(ge=1, le=1024)]


class LatencySettings(Settings):
    """The delay lines, and whether they hear each other."""

    group: int = setting(24, "width of each delay line", ge=1, le=1024)
    lags: tuple[Lag, ...] = setting(
        (1, 4, 8, 16, 32, 48, 64, 96, 128),
        "delay of each line in frames; 4 is a quarter note, 16 a bar",
        min_length=1,
        max_length=64,
    )
    mix: bool = setting(True, "whether every line hears all others, or only itself (faster)")
    features: int = setting(130, "width of the LSTM that joins the lines, the features", ge=1, le=4096)
