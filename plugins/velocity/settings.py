"""What a user may set of the velocity that learns."""

from __future__ import annotations

from zoo.parts import Settings, setting


class VelocitySettings(Settings):
    """The width of the LSTM, and what it hears."""

    hidden: int = setting(100, "width of the LSTM", ge=1, le=4096)
    struck: bool = setting(
        True, "whether it hears which keys are struck in the frame, or only their pitch classes"
    )
