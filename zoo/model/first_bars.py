"""Leading silence: the bars in which generated pieces begin to sound."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from zoo.music.roll import Roll


class FirstBars:
    """Finds the bar in which each new piece starts to sound."""

    def __init__(self, primer: Roll, count: int) -> None:
        self.primer = primer
        self.silent = [True] * count
        self.frames = [0] * count
        """For each piece, the new frame in which this bar starts; 0 while it is silent."""

    def update(self, keys: Tensor, frame: int) -> None:
        """Look for pieces that start to sound in a new frame, with keys (count, 1, K)."""
        if not any(self.silent):
            return
        place = int(self.primer.meter.places(np.array([self.primer.frames + frame])).place[0])
        for row, sounds in enumerate(keys.flatten(1).any(1).tolist()):
            if sounds and self.silent[row]:
                self.silent[row] = False
                self.frames[row] = max(frame - place, 0)
