"""The baseline: five parts based on a notebook system for piano music from 2017-18.

Pressed keys are folded to pitch classes, an attention looks back at eight lags, five voices decide the
next pitch classes, an LSTM distributes them over the octaves, and all notes are equally loud.
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The five default parts of a recipe."""
    return [
        Description(
            slot="encoder",
            name="onset",
            summary="The pitch classes that are pressed in a frame, whatever their octave",
            target="zoo_plugins.baseline.onset:Onset",
            state_version=2,
            gives=lambda settings: {"codes": 12, "plane": "onset"},
        ),
        Description(
            slot="attention",
            name="history",
            summary="An LSTM, and attention weights over what was played 1, 2, 4, ... beats earlier",
            target="zoo_plugins.baseline.history:History",
            state_version=2,
            settings="zoo_plugins.baseline.settings:HistorySettings",
            gives=lambda settings: {"features": settings.features},
        ),
        Description(
            slot="sampler",
            name="voices",
            summary="Voices that decide one pitch class each, in turn, given the decisions before",
            target="zoo_plugins.baseline.voices:Voices",
            settings="zoo_plugins.baseline.settings:VoicesSettings",
            citation="the bound: Maddison et al., Filtering Variational Objectives, NIPS 2017",
        ),
        Description(
            slot="decoder",
            name="lstm",
            summary="An LSTM that distributes the pitch classes over the octaves, key by key",
            target="zoo_plugins.baseline.lstm:LSTMDecoder",
            settings="zoo_plugins.baseline.settings:LSTMSettings",
            citation="Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997",
        ),
        Description(
            slot="velocity",
            name="none",
            summary="All notes equally loud",
            target="zoo_plugins.baseline.even:Even",
            settings="zoo_plugins.baseline.settings:EvenSettings",
        ),
    ]
