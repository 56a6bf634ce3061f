"""What the modelled keys leave out of the score, restored by counting."""

from __future__ import annotations

from typing import Literal

from torch import Generator, Tensor, nn


class Residual(nn.Module):
    """The exact score (off / held / struck per key and frame) given the keys of one plane.

    `onset` keys leave open how long a key is held: of each sounding key that is not struck it is asked
    "still held?". `sounding` keys leave open which are struck again: of each key that goes on sounding
    it is asked "struck again?". Answers are counted over the training pieces.
    """

    def __init__(self, plane: Literal["onset", "sounding"]) -> None:
        super().__init__()
        self.plane = plane

    def count(self, onset: Tensor, sounding: Tensor, *, mask: Tensor) -> None:
        """Count the answers in whole pieces: bool planes (B, T, K), mask (B, T)."""
        raise NotImplementedError

    def log_prob(self, onset: Tensor, sounding: Tensor) -> Tensor:
        """Nats (B, T) of the answers given the keys, for whole pieces from their start."""
        raise NotImplementedError

    def restore(self, keys: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw onset and sounding planes (B, T, K) bool that agree with keys (B, T, K)."""
        raise NotImplementedError
