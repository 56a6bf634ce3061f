"""Question 2, loudness: a separate LSTM that predicts velocities from the codes and earlier loudness."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The velocity with an LSTM."""
    return [
        Description(
            slot="velocity",
            name="lstm",
            summary="An LSTM that predicts the loudness of each key from the loudness so far",
            target="zoo_plugins.velocity.lstm:LSTMVelocity",
            settings="zoo_plugins.velocity.settings:VelocitySettings",
            citation="Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997",
        ),
    ]
