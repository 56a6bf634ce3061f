"""The encoder `newcomer`."""

from __future__ import annotations

import torch

from zoo.parts.interfaces import Encoder

from . import NewcomerSettings


class NewcomerEncoder(Encoder):
    """Codes 0 to 11 are the pitch classes of the left hand, from A; codes 12 to 23 those of the right."""

    def __init__(self, settings: NewcomerSettings) -> None:
        key = torch.arange(88)
        code = key % 12 + 12 * (key >= settings.split)
        membership = code == torch.arange(24).unsqueeze(1)
        super().__init__(settings, membership, plane="onset")
