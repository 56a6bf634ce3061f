"""What a user may set of the floors."""

from __future__ import annotations

from typing import Literal

from zoo.parts import Settings, setting


class KeysSettings(Settings):
    """Which keys are meant."""

    plane: Literal["onset", "sounding"] = setting("onset", "model the keys pressed, or the keys sounding")


class LocalSettings(Settings):
    """Widths; wider ones make a floor with as many parameters as any other attention."""

    local: int = setting(100, "width of the LSTM that hears every frame", ge=1, le=4096)
    features: int = setting(130, "width of the LSTM above it, the features", ge=1, le=4096)
