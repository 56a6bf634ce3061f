"""What a user may set of the attention that copies."""

from __future__ import annotations

from zoo.parts import Settings, setting


class CopyingSettings(Settings):
    """Widths, reach and dropout."""

    local: int = setting(
        200, "width of the LSTM that hears every frame and says what it is like", ge=1, le=4096
    )
    features: int = setting(
        200, "width of the LSTM that joins it with what was found, the features", ge=1, le=4096
    )
    heads: int = setting(4, "moments that may be found at once", ge=1, le=64)
    head: int = setting(32, "numbers by which a head compares two moments", ge=1, le=512)
    reach: float = setting(32, "how far back to look, in quarter notes; 32 are 8 bars of 4/4", gt=0, le=256)
    dropout: float = setting(
        0.2,
        "share of the joining LSTM's input left out in training, against learning by heart",
        ge=0,
        le=0.95,
    )
