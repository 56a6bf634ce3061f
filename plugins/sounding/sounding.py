"""Sounding keys as pitch classes."""

from __future__ import annotations

from zoo.parts import Settings
from zoo.parts.interfaces import Encoder
from zoo.parts.layers import pitch_classes


class Sounding(Encoder):
    """Codes say which pitch classes sound in a frame, in whatever octave, pressed now or held.

    The harmony stands in every frame and needs no memory, but a note struck again looks like one held
    on: the residual asks of each key that goes on sounding whether it is struck again, and what is not
    is joined into one held note. Code 0 is A, the lowest key of the piano.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, pitch_classes(), plane="sounding")
