"""Sounding keys as pitch classes."""

from __future__ import annotations

from zoo.parts import Settings
from zoo.parts.interfaces import Encoder
from zoo.parts.layers import pitch_classes


class Sounding(Encoder):
    """A code is 1 where its pitch class sounds in a frame, in whatever octave, struck now or held.

    Every frame contains the full harmony, so no memory is needed for it. But a repeated note looks like a
    held one. The residual therefore models for each key that continues to sound whether it is struck again;
    otherwise it is part of one held note. Code 0 is A, the lowest key of the piano.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, pitch_classes(), plane="sounding")
