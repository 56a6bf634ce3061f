"""The residual: a model of what the modelled keys leave out of the score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from torch import Generator, Tensor, nn

from zoo.parts.clock import Clock

Plane = Literal["onset", "sounding"]


class Residual(nn.Module, ABC):
    """A model of the exact score (off, held or struck per key and frame) given the keys of one plane.

    `onset` keys leave open how long a key is held: in each frame after a strike there is a decision whether
    the key is still held, until it is not. `sounding` keys leave open which keys are struck again: for each
    key that continues to sound there is a decision whether it is. An encoder builds its residual and passes
    it to `Encoder.__init__`; by default it is `zoo.parts.counted.CountedResidual`.

    A residual learns by `count` and by nothing else; what it learns is kept in its state dict.

    Attributes:
        plane: the plane of the score that is known as keys.
    """

    def __init__(self, plane: Plane) -> None:
        super().__init__()
        self.plane: Plane = plane

    @abstractmethod
    def count(self, onset: Tensor, sounding: Tensor, clock: Clock, *, mask: Tensor) -> None:
        """Learn from whole pieces: bool planes (B, T, K), clock and mask (B, T); adds to earlier counts."""

    @abstractmethod
    def forget_counts(self) -> None:
        """Reset what was learned by counting."""

    @abstractmethod
    def log_prob(self, onset: Tensor, sounding: Tensor, clock: Clock) -> Tensor:
        """Log-probability (B, T) in nats of the score given the keys, for whole pieces from the start."""

    @abstractmethod
    def restore(
        self,
        keys: Tensor,
        clock: Clock,
        generator: Generator,
        opening: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw onset and sounding planes (B, T, K) bool that agree with keys (B, T, K).

        Args:
            keys: the modelled plane.
            clock: (B, T), the position of the frames in their bars.
            generator: the random number generator.
            opening: known onset and sounding planes (B, P, K) of the first P <= T frames; they are
                unchanged, and notes held at their end may continue.
        """
