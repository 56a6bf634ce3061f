"""The baseline: five parts after a 2017-18 notebook system for piano music.

Pressed keys fold to pitch classes, a reader looks back at eight lags, five voices decide the next
pitch classes, an LSTM spreads them over the octaves, and every note is equally loud.
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The five parts that stand in a recipe when the user says nothing."""
    return [
        Description(
            slot="encoder",
            name="onset",
            summary="Which of the 12 pitch classes are pressed in a frame, octaves folded together",
            target="zoo_plugins.baseline.onset:Onset",
            state_version=2,
            gives=lambda settings: {"codes": 12, "plane": "onset"},
        ),
        Description(
            slot="attention",
            name="history",
            summary="An LSTM beside a reader that weighs what was played 1, 2, 4, ... beats earlier",
            target="zoo_plugins.baseline.history:History",
            state_version=2,
            settings="zoo_plugins.baseline.settings:HistorySettings",
            gives=lambda settings: {"features": settings.features},
        ),
        Description(
            slot="sampler",
            name="voices",
            summary="Voices that decide one pitch class each, in turn, hearing those before them",
            target="zoo_plugins.baseline.voices:Voices",
            settings="zoo_plugins.baseline.settings:VoicesSettings",
            citation="the bound: Maddison et al., Filtering Variational Objectives, NIPS 2017",
        ),
        Description(
            slot="decoder",
            name="lstm",
            summary="An LSTM that spreads the pitch classes over the octaves, key by key",
            target="zoo_plugins.baseline.lstm:LSTMDecoder",
            settings="zoo_plugins.baseline.settings:LSTMSettings",
            citation="Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997",
        ),
        Description(
            slot="velocity",
            name="none",
            summary="Every note equally loud",
            target="zoo_plugins.baseline.even:Even",
            settings="zoo_plugins.baseline.settings:EvenSettings",
        ),
    ]
