"""Settings of the delay lines."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from zoo.parts import Settings, setting

Lag = Annotated[float, Field(gt=0, le=256)]


class LatencySettings(Settings):
    """The delay lines, and whether they are connected."""

    group: int = setting(24, "width of each delay line", ge=1, le=1024)
    lags: tuple[Lag, ...] = setting(
        (0.25, 1, 2, 4, 8, 12, 16, 24, 32),
        "delay of each line in quarter notes; 4 is a bar of 4/4",
        min_length=1,
        max_length=64,
    )
    mix: bool = setting(True, "whether every line receives the states of all lines, or only its own (faster)")
    features: int = setting(
        130, "width of the LSTM that combines the lines; also the number of features", ge=1, le=4096
    )
