"""Fragments: a batch of stretches of music, each with the frames before it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo.parts.clock import Clock


@dataclass(frozen=True)
class Fragments:
    """A batch of B stretches of T frames, each after P frames of history and the frame before it.

    Along time the planes hold P past frames, 1 frame of context (the one before the first target), and
    T targets; silence stands where a piece has not begun or is over.

    Attributes:
        onset: (B, P+1+T, 88) bool, or None where the data does not know what is pressed.
        sounding: (B, P+1+T, 88) bool.
        velocity: (B, P+1+T, 88) uint8, 0 where no key is pressed, or None where nobody knows.
        clock: (B, 1+T), where the context frame and the targets lie in their bars.
        mask: (B, T) bool, true where a target is a frame of the piece; padding never counts.
    """

    onset: Tensor | None
    sounding: Tensor
    velocity: Tensor | None
    clock: Clock
    mask: Tensor

    @property
    def frames(self) -> int:
        """T, how many frames are targets."""
        return int(self.mask.shape[1])

    @property
    def past(self) -> int:
        """P, how many frames of history stand before the context frame."""
        return int(self.sounding.shape[1]) - 1 - self.frames

    def transpose(self, semitones: Tensor) -> Fragments:
        """Each fragment shifted by its own number of semitones; keys that fall off are dropped.

        Args:
            semitones: (B,) integers, upwards where positive.
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
