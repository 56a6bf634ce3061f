"""Question 1: can an RBM replace the decoder, so that keys are drawn jointly instead of independently?

As a sampler, the same machine draws codes, without a decoder if `encoder=keys`: the RNN-RBM.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.errors import Problem
from zoo.parts import Description, Fact, hookimpl


def _fit_loudness(settings: Any, facts: Mapping[str, Fact]) -> Iterable[Problem]:
    """A held key has no loudness in the frames after its onset."""
    if facts.get("encoder.plane") == "sounding":
        yield Problem("it needs pressed keys, and the encoder models sounding keys", hint="use encoder=onset")


CITATION = (
    "Boulanger-Lewandowski, Bengio and Vincent, Modeling Temporal Dependencies in "
    "High-Dimensional Sequences, ICML 2012"
)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The decoders and the sampler that are Boltzmann machines."""
    return [
        Description(
            slot="decoder",
            name="rbm",
            summary="A restricted Boltzmann machine with biases from an LSTM: keys are drawn jointly",
            target="zoo_plugins.rbm.rbm:RBM",
            settings="zoo_plugins.rbm.settings:RBMSettings",
            citation=CITATION,
        ),
        Description(
            slot="decoder",
            name="rbm-loudness",
            summary="The decoder rbm, with the loudness of the previous keys as input",
            target="zoo_plugins.rbm.rbm:LoudnessRBM",
            settings="zoo_plugins.rbm.settings:RBMSettings",
            fit=_fit_loudness,
            citation=CITATION,
        ),
        Description(
            slot="sampler",
            name="rbm",
            summary="A restricted Boltzmann machine with biases from the features: codes are drawn jointly",
            target="zoo_plugins.rbm.sampler:RBMSampler",
            settings="zoo_plugins.rbm.settings:RBMSamplerSettings",
            citation=CITATION,
        ),
    ]
