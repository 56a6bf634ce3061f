"""Settings of the floors."""

from __future__ import annotations

from typing import Literal

from zoo.parts import Settings, setting


class KeysSettings(Settings):
    """Which keys are modelled."""

    plane: Literal["onset", "sounding"] = setting("onset", "model the pressed keys or the sounding keys")


class LocalSettings(Settings):
    """Widths, for a floor with as many parameters as the attention it is compared with."""

    local: int = setting(100, "width of the LSTM that receives every frame", ge=1, le=4096)
    features: int = setting(130, "width of the LSTM above it; also the number of features", ge=1, le=4096)
