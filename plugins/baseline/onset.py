"""Pressed keys as pitch classes."""

from __future__ import annotations

from zoo.parts import Settings
from zoo.parts.interfaces import Encoder
from zoo.parts.layers import pitch_classes


class Onset(Encoder):
    """A code is 1 where its pitch class is pressed in a frame, in whatever octave.

    Code 0 is A, the lowest key of the piano. The original folds only keys 0 to 83 and loses A7 to C8; here
    all 88 keys are folded.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, pitch_classes(), plane="onset")
