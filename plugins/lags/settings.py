"""Settings of the lags."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from zoo.parts import Settings, setting

Lag = Annotated[float, Field(gt=0, le=256)]


class LagsSettings(Settings):
    """Widths of the two LSTMs, and which frames of the past are passed on."""

    local: int = setting(100, "width of the LSTM that receives every frame", ge=1, le=4096)
    features: int = setting(
        130, "width of the LSTM that combines both; also the number of features", ge=1, le=4096
    )
    lags: tuple[Lag, ...] = setting(
        (1, 2, 4, 8, 12, 16, 24, 32),
        "distances before the next frame whose codes are passed on, in quarter notes; 4 is a bar of 4/4",
        min_length=1,
        max_length=64,
    )
