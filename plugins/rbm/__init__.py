"""Question 1: can an RBM replace the decoder, so that keys are drawn jointly instead of independently?"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The decoder that is a Boltzmann machine."""
    return [
        Description(
            slot="decoder",
            name="rbm",
            summary="A restricted Boltzmann machine with biases from an LSTM: keys are drawn jointly",
            target="zoo_plugins.rbm.rbm:RBM",
            settings="zoo_plugins.rbm.settings:RBMSettings",
            citation=(
                "Boulanger-Lewandowski, Bengio and Vincent, Modeling Temporal Dependencies in "
                "High-Dimensional Sequences, ICML 2012"
            ),
        ),
    ]
