"""Chords decided code by code in a fixed order: a neural autoregressive distribution estimator."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl

CITATION = (
    "Larochelle and Murray, The Neural Autoregressive Distribution Estimator, AISTATS 2011; with biases that "
    "follow the music, Boulanger-Lewandowski et al., ICML 2012; several orders, Uria et al., A Deep and "
    "Tractable Density Estimator, ICML 2014"
)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """A sampler."""
    return [
        Description(
            slot="sampler",
            name="nade",
            summary="Each code sounds or not given those before it, in one order or averaged over several",
            target="zoo_plugins.nade.nade:NADE",
            settings="zoo_plugins.nade.settings:NADESettings",
            citation=CITATION,
        )
    ]
