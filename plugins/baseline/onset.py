"""Pressed keys as pitch classes."""

from __future__ import annotations

import torch

from zoo.parts import Settings
from zoo.parts.interfaces import Encoder

PITCH_CLASSES = 12


class Onset(Encoder):
    """Codes say which pitch classes are pressed in a frame, in whatever octave.

    Code 0 is A, the lowest key of the piano. The original folds only keys 0 to 83 and so loses A7 to
    C8; here all 88 keys take part, and the upper octave is folded like any other.
    """

    def __init__(self, settings: Settings) -> None:
        pitch_class = torch.arange(88) % PITCH_CLASSES
        membership = pitch_class == torch.arange(PITCH_CLASSES).unsqueeze(1)
        super().__init__(settings, membership, plane="onset")
