"""The sampler `newcomer`: its description and settings, without torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, Settings, hookimpl, setting


class NewcomerSettings(Settings):
    """The settings; each has a default, a help text and bounds."""

    hidden: int = setting(64, "width of the hidden layer", ge=1, le=4096)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The parts of this plugin."""
    return [
        Description(
            slot="sampler",
            name="newcomer",
            summary="Autoregressive over pitch classes, from the lowest to the highest",
            target=f"{__name__}.part:NewcomerSampler",
            settings=NewcomerSettings,
            citation="Frey, Hinton and Dayan, Does the Wake-Sleep Algorithm Produce Good Density "
            "Estimators?, NIPS 1995",
            status="experimental",
        ),
    ]
