"""Question 4: is "the note sounds" a better representation than "the note is pressed"?"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.parts import Description, hookimpl


@hookimpl
def zoo_parts() -> Iterable[Description]:
    """The encoder of sounding keys."""
    return [
        Description(
            slot="encoder",
            name="sounding",
            summary="The pitch classes that sound in a frame, including held notes",
            target="zoo_plugins.sounding.sounding:Sounding",
            state_version=2,
            gives=lambda settings: {"codes": 12, "plane": "sounding"},
        ),
    ]
