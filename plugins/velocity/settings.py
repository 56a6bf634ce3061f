"""Settings of the LSTM velocity."""

from __future__ import annotations

from zoo.parts import Settings, setting


class VelocitySettings(Settings):
    """The width and the inputs of the LSTM."""

    hidden: int = setting(100, "width of the LSTM", ge=1, le=4096)
    struck: bool = setting(
        True, "whether the struck keys of the frame are an input, or only their pitch classes"
    )
