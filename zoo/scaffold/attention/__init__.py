"""The attention `newcomer`: what it is called and what one may set, without torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, Settings, hookimpl, setting


class NewcomerSettings(Settings):
    """What a user may set; each setting has a default, a help text and bounds."""

    features: int = setting(64, "width of the memory, which is also the features", ge=1, le=4096)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The parts of this plugin."""
    return [
        Description(
            slot="attention",
            name="newcomer",
            summary="One LSTM that hears every frame and remembers what it can",
            target=f"{__name__}.part:NewcomerAttention",
            settings=NewcomerSettings,
            gives=lambda settings: {"features": settings.features},
            status="experimental",
        ),
    ]
