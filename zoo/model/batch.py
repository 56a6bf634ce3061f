"""The inputs and targets of the parts for a batch of fragments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from zoo.parts.clock import Clock


@dataclass(frozen=True)
class Batch:
    """The inputs and targets of the parts for a batch of fragments, with T frames to predict.

    Attributes:
        past: what the attention hears before the first input, (B, P, H).
        inputs: what it hears of the frame before each target, (B, T, H).
        clock: position of each input frame in its bar, (B, T).
        past_codes: codes before the first target, (B, P + 1, C).
        codes: target codes, (B, T, C).
        previous: keys of the frame before each target, (B, T, K), or their loudness if the decoder uses it.
        keys: target keys, (B, T, K).
        past_keys: keys or loudness before the first of these, (B, P, K).
        target_clock: position of each target frame in its bar, (B, T).
    """

    past: Tensor
    inputs: Tensor
    clock: Clock
    past_codes: Tensor
    codes: Tensor
    previous: Tensor
    keys: Tensor
    past_keys: Tensor
    target_clock: Clock

    @property
    def of_codes(self) -> dict[str, Any]:
        """What methods of a sampler may have optional parameters for."""
        return {"past": self.past_codes, "clock": self.target_clock}

    @property
    def of_keys(self) -> dict[str, Any]:
        """What methods of a decoder may have optional parameters for."""
        return {"past": self.past_keys, "clock": self.target_clock}


@dataclass(frozen=True)
class VelocityBatch:
    """The inputs and targets of a velocity part: planes (B, T, K) with loudness in 0..1.

    Attributes:
        struck: 1 where a key is struck.
        loudness: target loudness.
        previous: loudness of the frame before each target.
        past: loudness before the first of these, (B, P, K).
        clock: position of each target frame in its bar, (B, T).
    """

    struck: Tensor
    loudness: Tensor
    previous: Tensor
    past: Tensor
    clock: Clock

    @property
    def of_loudness(self) -> dict[str, Any]:
        """What methods of a velocity may have optional parameters for."""
        return {"past": self.past, "clock": self.clock}
