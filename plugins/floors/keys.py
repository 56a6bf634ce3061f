"""Every key as a code of its own."""

from __future__ import annotations

import torch

from zoo.parts.interfaces import Encoder
from zoo.parts.piano import KEYS

from .settings import KeysSettings


class Keys(Encoder):
    """Every key is its own code, so the sampler models the keys and the decoder has nothing to add.

    The floors of the published benchmark are models of keys; with this encoder they are ordinary recipes.
    """

    def __init__(self, settings: KeysSettings) -> None:
        super().__init__(settings, torch.eye(KEYS, dtype=torch.bool), plane=settings.plane)
