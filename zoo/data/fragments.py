"""Fragments: a batch of stretches of music, each with the frames before it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Fragments:
    """A batch of B stretches of T frames, each after P frames of history and the frame before it.

    Along time the planes hold P past frames, 1 frame of context (the one before the first target), and
    T targets; silence stands where a piece has not begun or is over.

    Attributes:
        onset: (B, P+1+T, 88) bool, or None where the data does not know what is pressed.
        sounding: (B, P+1+T, 88) bool.
        velocity: (B, P+1+T, 88) uint8, 0 where no key is pressed, or None where nobody knows.
        start: (B,) int64, index in its piece of each fragment's first target frame.
        mask: (B, T) bool, true where a target is a frame of the piece; padding never counts.
    """

    onset: Tensor | None
    sounding: Tensor
    velocity: Tensor | None
    start: Tensor
    mask: Tensor

    @property
    def frames(self) -> int:
        """T, how many frames are targets."""
        return int(self.mask.shape[1])

    @property
    def past(self) -> int:
        """P, how many frames of history stand before the context frame."""
        return int(self.sounding.shape[1]) - 1 - self.frames
