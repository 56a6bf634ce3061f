"""Question 2, loudness: an LSTM of its own that hears the codes and how loud it has been."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, Settings, hookimpl, setting


class VelocitySettings(Settings):
    """The width of the LSTM, and what it hears."""

    hidden: int = setting(100, "width of the LSTM", ge=1, le=4096)
    struck: bool = setting(
        True, "whether it hears which keys are struck in the frame, or only their pitch classes"
    )


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The velocity that learns."""
    return [
        Description(
            slot="velocity",
            name="lstm",
            summary="An LSTM that says how hard each key is pressed, hearing how loud it has been",
            target="zoo_plugins.velocity.lstm:LSTMVelocity",
            settings=VelocitySettings,
            citation="Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997",
        ),
    ]
