"""Chords spelled from the lowest note up: an autoregressive model of a frame, with exact likelihoods."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl

CITATION = (
    "Bengio and Bengio, Modeling High-Dimensional Discrete Data with Multi-Layer Neural Networks, NIPS 1999; "
    "the notes of a frame as a sequence: Huang et al., Music Transformer, ICLR 2019"
)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """A sampler of codes and a decoder of keys."""
    return [
        Description(
            slot="sampler",
            name="ordered",
            summary="Chords spelled from the lowest code up, each code given those below it",
            target="zoo_plugins.ordered.ordered:OrderedSampler",
            settings="zoo_plugins.ordered.settings:OrderedSamplerSettings",
            citation=CITATION,
        ),
        Description(
            slot="decoder",
            name="ordered",
            summary="Chords voiced from the lowest key up, each key given those below it",
            target="zoo_plugins.ordered.ordered:OrderedDecoder",
            settings="zoo_plugins.ordered.settings:OrderedDecoderSettings",
            citation=CITATION,
        ),
    ]
