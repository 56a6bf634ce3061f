"""Question 2, loudness: an LSTM of its own that hears the codes and how loud it has been."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The velocity that learns."""
    return [
        Description(
            slot="velocity",
            name="lstm",
            summary="An LSTM that says how hard each key is pressed, hearing how loud it has been",
            target="zoo_plugins.velocity.lstm:LSTMVelocity",
            settings="zoo_plugins.velocity.settings:VelocitySettings",
            citation="Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997",
        ),
    ]
