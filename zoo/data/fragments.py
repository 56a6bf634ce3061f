"""Fragments: a batch of excerpts of pieces, each with the frames before it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo.parts.clock import Clock


@dataclass(frozen=True)
class Fragments:
    """A batch of B excerpts of T target frames, each preceded by P frames of history and a context frame.

    Along the time axis, the planes have P past frames, 1 context frame (the one before the first target), and
    T target frames. Frames before the beginning and after the end of a piece are silent.

    Attributes:
        onset: (B, P+1+T, 88) bool, or None if onsets are unknown.
        sounding: (B, P+1+T, 88) bool.
        velocity: (B, P+1+T, 88) uint8, 0 where no key is pressed; None if velocities are unknown.
        clock: (B, 1+T), positions of the context frame and the targets in their bars.
        mask: (B, T) bool, true where a target is a frame of the piece, false for padding.
    """

    onset: Tensor | None
    sounding: Tensor
    velocity: Tensor | None
    clock: Clock
    mask: Tensor

    @property
    def frames(self) -> int:
        """T, the number of target frames."""
        return int(self.mask.shape[1])

    @property
    def past(self) -> int:
        """P, the number of frames of history before the context frame."""
        return int(self.sounding.shape[1]) - 1 - self.frames

    def transpose(self, semitones: Tensor) -> Fragments:
        """Transpose each fragment by its own number of semitones; notes outside the 88 keys are dropped.

        Args:
            semitones: (B,) integers; positive values transpose upwards.
        """
        keys = self.sounding.shape[-1]
        source = torch.arange(keys, device=semitones.device) - semitones.long().unsqueeze(1)
        inside = ((source >= 0) & (source < keys)).unsqueeze(1)
        index = source.clamp(0, keys - 1).unsqueeze(1).expand(self.sounding.shape)

        def shift(plane: Tensor | None) -> Tensor | None:
            return None if plane is None else plane.gather(-1, index) * inside

        sounding = self.sounding.gather(-1, index) * inside
        return replace(self, onset=shift(self.onset), sounding=sounding, velocity=shift(self.velocity))

    def to(self, device: torch.device | str) -> Fragments:
        """The same fragments on another device."""
        return Fragments(
            onset=None if self.onset is None else self.onset.to(device),
            sounding=self.sounding.to(device),
            velocity=None if self.velocity is None else self.velocity.to(device),
            clock=self.clock.to(device),
            mask=self.mask.to(device),
        )
