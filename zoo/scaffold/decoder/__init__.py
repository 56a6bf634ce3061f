"""The decoder `newcomer`: its description and settings, without torch."""

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
            slot="decoder",
            name="newcomer",
            summary="Octaves from the pitch classes and the keys of the previous frame, without a state",
            target=f"{__name__}.part:NewcomerDecoder",
            settings=NewcomerSettings,
            status="experimental",
        ),
    ]
