"""Question 1: can an RBM take the decoder's place, so that keys are drawn together and not one by one?"""

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
            summary="A Boltzmann machine whose biases an LSTM sets, so that keys are drawn together",
            target="zoo_plugins.rbm.rbm:RBM",
            settings="zoo_plugins.rbm.settings:RBMSettings",
            citation=(
                "Boulanger-Lewandowski, Bengio and Vincent, Modeling Temporal Dependencies in "
                "High-Dimensional Sequences, ICML 2012"
            ),
        ),
    ]
