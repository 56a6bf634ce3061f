"""Floors: simple baselines that a useful part has to beat.

They count (`rates`, `markov`), have no memory (`last`), or no attention to the past (`none`). With
`encoder=keys` every key is a code of its own, so the sampler models keys and the decoder has nothing to add.
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl
from zoo.parts.piano import KEYS

BENCHMARK = (
    "Boulanger-Lewandowski, Bengio and Vincent, Modeling Temporal Dependencies in High-Dimensional "
    "Sequences, ICML 2012"
)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The ten parts from which the floors of all tables are built."""
    return [
        Description(
            slot="encoder",
            name="keys",
            summary="Every key is a code of its own",
            target="zoo_plugins.floors.keys:Keys",
            state_version=2,
            settings="zoo_plugins.floors.settings:KeysSettings",
            gives=lambda settings: {"codes": KEYS, "plane": settings.plane},
        ),
        Description(
            slot="attention",
            name="none",
            summary="The baseline without attention weights: LSTMs that receive every frame",
            target="zoo_plugins.floors.local:Local",
            state_version=2,
            settings="zoo_plugins.floors.settings:LocalSettings",
            gives=lambda settings: {"features": settings.features},
        ),
        Description(
            slot="attention",
            name="last",
            summary="Only the frame itself, no memory",
            target="zoo_plugins.floors.last:Last",
        ),
        Description(
            slot="sampler",
            name="independent",
            summary="Each pitch class independently of the others in its frame",
            target="zoo_plugins.floors.independent:Independent",
            citation=BENCHMARK,
        ),
        Description(
            slot="sampler",
            name="rates",
            summary="Each pitch class at its rate in the training pieces, whatever came before",
            target="zoo_plugins.floors.counting:Rates",
            citation=BENCHMARK,
        ),
        Description(
            slot="sampler",
            name="markov",
            summary="Each pitch class at its rate given whether it sounded in the frame before",
            target="zoo_plugins.floors.counting:Markov",
        ),
        Description(
            slot="decoder",
            name="uniform",
            summary="All sets of keys that fold to the pitch classes, equally likely",
            target="zoo_plugins.floors.uniform:Uniform",
        ),
        Description(
            slot="velocity",
            name="mean",
            summary="The mean loudness of the training pieces for every note",
            target="zoo_plugins.floors.loudness:Mean",
        ),
        Description(
            slot="velocity",
            name="key",
            summary="The mean loudness of a note's key in the training pieces",
            target="zoo_plugins.floors.loudness:Key",
        ),
        Description(
            slot="velocity",
            name="previous",
            summary="The loudness of the notes struck last",
            target="zoo_plugins.floors.loudness:Previous",
        ),
    ]
