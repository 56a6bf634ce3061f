"""The encoder `newcomer`: the pitch classes pressed by each hand."""

import torch

from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import Encoder


class NewcomerEncoder(Encoder):
    """Codes 0 to 11 are the pitch classes below middle C (key 39), codes 12 to 23 those from it upwards."""

    def __init__(self, settings: Settings) -> None:
        key = torch.arange(88)
        code = key % 12 + 12 * (key >= 39)
        super().__init__(settings, membership=code == torch.arange(24).unsqueeze(1), plane="onset")


@hookimpl
def zoo_parts() -> list[Description]:
    """The parts in this file."""
    return [
        Description(
            slot="encoder",
            name="newcomer",
            summary="The pitch classes pressed by each hand",
            target=NewcomerEncoder,
            gives=lambda settings: {"codes": 24, "plane": "onset"},
        )
    ]
