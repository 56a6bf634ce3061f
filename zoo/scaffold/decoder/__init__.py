"""The decoder `newcomer`: what it is called and what one may set, without torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, Settings, hookimpl, setting


class NewcomerSettings(Settings):
    """What a user may set; each setting has a default, a help text and bounds."""

    hidden: int = setting(64, "width of the layer between what is heard and the keys", ge=1, le=4096)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The parts of this plugin."""
    return [
        Description(
            slot="decoder",
            name="newcomer",
            summary="Octaves from the pitch classes and the keys of the frame before, without a memory",
            target=f"{__name__}.part:NewcomerDecoder",
            settings=NewcomerSettings,
            status="experimental",
        ),
    ]
