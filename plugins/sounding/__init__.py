"""Question 4: is "the note sounds" a better representation than "the note is pressed"?

And what is it worth if the core hears the keys of the past, while it predicts pitch classes?
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl
from zoo.parts.piano import KEYS, PITCH_CLASSES


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The encoders of sounding keys as pitch classes."""
    return [
        Description(
            slot="encoder",
            name="sounding",
            summary="The pitch classes that sound in a frame, including held notes",
            target="zoo_plugins.sounding.sounding:Sounding",
            state_version=2,
            gives=lambda settings: {"codes": PITCH_CLASSES, "plane": "sounding"},
        ),
        Description(
            slot="encoder",
            name="register",
            summary="The pitch classes that sound; of the past the core hears the octaves, too",
            target="zoo_plugins.sounding.register:Register",
            gives=lambda settings: {
                "codes": PITCH_CLASSES,
                "inputs": PITCH_CLASSES + KEYS,
                "plane": "sounding",
            },
        ),
    ]
