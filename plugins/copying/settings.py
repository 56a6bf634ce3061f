"""Settings of the attention that copies."""

from __future__ import annotations

from zoo.parts import Settings, setting


class CopyingSettings(Settings):
    """Widths, reach and dropout."""

    local: int = setting(
        200, "width of the LSTM that receives every frame and describes the moment", ge=1, le=4096
    )
    features: int = setting(
        200, "width of the LSTM that combines both; also the number of features", ge=1, le=4096
    )
    heads: int = setting(4, "attention heads, each of which compares moments in its own way", ge=1, le=64)
    head: int = setting(32, "width of a head", ge=1, le=512)
    reach: float = setting(32, "how far back to look, in quarter notes; 32 is 8 bars of 4/4", gt=0, le=256)
    dropout: float = setting(
        0.2,
        "dropout probability at the input of the combining LSTM",
        ge=0,
        le=0.95,
    )
