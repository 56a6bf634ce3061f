"""The attention `newcomer`: its description and settings, without torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, Settings, hookimpl, setting


class NewcomerSettings(Settings):
    """The settings; each has a default, a help text and bounds."""

    features: int = setting(64, "width of the memory, which is also the features", ge=1, le=4096)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The parts of this plugin."""
    return [
        Description(
            slot="attention",
            name="newcomer",
            summary="An LSTM over every frame",
            target=f"{__name__}.part:NewcomerAttention",
            settings=NewcomerSettings,
            gives=lambda settings: {"features": settings.features},
            status="experimental",
        ),
    ]
