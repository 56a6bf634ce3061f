"""Sounding keys as pitch classes, of which the attention hears the octaves."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.parts import Settings
from zoo.parts.interfaces import Encoder
from zoo.parts.layers import pitch_classes
from zoo.parts.piano import KEYS, PITCH_CLASSES


class Register(Encoder):
    """The codes of `encoder=sounding`; but of the past the core hears the keys, not only their codes.

    In which octaves notes lie tells the tune from the bass. With `sounding` only the decoder knows this; here
    the attention receives the 12 codes and the 88 keys of each frame.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, pitch_classes(), plane="sounding", inputs=PITCH_CLASSES + KEYS)

    def heard(self, keys: Tensor, codes: Tensor) -> Tensor:
        """Codes and keys, (B, T, 100) in {0, 1}."""
        return torch.cat([codes, keys], -1)
