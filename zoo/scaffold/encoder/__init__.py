"""The encoder `newcomer`: its description and settings, without torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, Settings, hookimpl, setting


class NewcomerSettings(Settings):
    """The settings; each has a default, a help text and bounds."""

    split: int = setting(39, "lowest key of the right hand; 39 is middle C", ge=12, le=76)


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The parts of this plugin."""
    return [
        Description(
            slot="encoder",
            name="newcomer",
            summary="The pitch classes pressed by each hand: 12 below middle C, 12 from middle C upwards",
            target=f"{__name__}.part:NewcomerEncoder",
            settings=NewcomerSettings,
            gives=lambda settings: {"codes": 24, "plane": "onset"},
            status="experimental",
        ),
    ]
