"""The sampler `newcomer`: what it is called and what one may set, without torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, Settings, hookimpl, setting


class NewcomerSettings(Settings):
    """What a user may set; each setting has a default, a help text and bounds."""

    hidden: int = setting(64, "width of the layer between the features and the codes", ge=1, le=4096)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The parts of this plugin."""
    return [
        Description(
            slot="sampler",
            name="newcomer",
            summary="One pitch class after the other, each hearing those decided before it",
            target=f"{__name__}.part:NewcomerSampler",
            settings=NewcomerSettings,
            citation="Frey, Hinton and Dayan, Does the Wake-Sleep Algorithm Produce Good Density "
            "Estimators?, NIPS 1995",
            status="experimental",
        ),
    ]
