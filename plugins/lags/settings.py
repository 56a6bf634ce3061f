"""What a user may set of the lags."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from zoo.parts import Settings, setting

Lag = Annotated[int, Field(ge=1, le=1024)]


class LagsSettings(Settings):
    """Widths of the two LSTMs, and which frames of the past are handed over."""

    local: int = setting(100, "width of the LSTM that hears every frame", ge=1, le=4096)
    features: int = setting(130, "width of the LSTM that joins both, the features", ge=1, le=4096)
    lags: tuple[Lag, ...] = setting(
        (4, 8, 16, 32, 48, 64, 96, 128),
        "how many frames before the next one are handed over; 4 is a quarter note, 16 a bar",
        min_length=1,
        max_length=64,
    )
