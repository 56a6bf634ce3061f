"""Floors: what a part must beat before it means anything.

Counting (`rates`, `markov`), remembering nothing (`last`), or no reader (`none`). With `encoder=keys`
every key is a code of its own, so that a sampler speaks of keys and the decoder has nothing to add.
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl

BENCHMARK = (
    "Boulanger-Lewandowski, Bengio and Vincent, Modeling Temporal Dependencies in High-Dimensional "
    "Sequences, ICML 2012"
)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """Ten parts that make the floors of every table."""
    return [
        Description(
            slot="encoder",
            name="keys",
            summary="Every key is a code of its own",
            target="zoo_plugins.floors.keys:Keys",
            state_version=2,
            settings="zoo_plugins.floors.settings:KeysSettings",
            gives=lambda settings: {"codes": 88, "plane": settings.plane},
        ),
        Description(
            slot="attention",
            name="none",
            summary="The baseline without its reader: LSTMs that hear every frame and look nowhere",
            target="zoo_plugins.floors.local:Local",
            state_version=2,
            settings="zoo_plugins.floors.settings:LocalSettings",
            gives=lambda settings: {"features": settings.features},
        ),
        Description(
            slot="attention",
            name="last",
            summary="Nothing but the frame itself",
            target="zoo_plugins.floors.last:Last",
        ),
        Description(
            slot="sampler",
            name="independent",
            summary="Each pitch class sounds or not, without regard to the others in its frame",
            target="zoo_plugins.floors.independent:Independent",
            citation=BENCHMARK,
        ),
        Description(
            slot="sampler",
            name="rates",
            summary="Each pitch class as often as in the training pieces, whatever came before",
            target="zoo_plugins.floors.counting:Rates",
            citation=BENCHMARK,
        ),
        Description(
            slot="sampler",
            name="markov",
            summary="Each pitch class as often as after the same one sounding, or not, a frame ago",
            target="zoo_plugins.floors.counting:Markov",
        ),
        Description(
            slot="decoder",
            name="uniform",
            summary="Any keys that give the pitch classes, all equally likely",
            target="zoo_plugins.floors.uniform:Uniform",
        ),
        Description(
            slot="velocity",
            name="mean",
            summary="Every note as loud as the mean note of the training pieces",
            target="zoo_plugins.floors.loudness:Mean",
        ),
        Description(
            slot="velocity",
            name="key",
            summary="Every note as loud as its key is on average in the training pieces",
            target="zoo_plugins.floors.loudness:Key",
        ),
        Description(
            slot="velocity",
            name="previous",
            summary="Every note as loud as the notes struck last",
            target="zoo_plugins.floors.loudness:Previous",
        ),
    ]
