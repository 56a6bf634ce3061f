"""Velocities that average: over all notes, over the notes of each key, or over the notes just before."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from zoo.parts import Settings
from zoo.parts.interfaces import Sizes, State
from zoo.parts.loudness import LOUDEST, LogisticVelocity


class Mean(LogisticVelocity):
    """Predicts the mean loudness of the training pieces for every note."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.notes = _Notes(sizes.keys)

    def count(self, *music: Tensor, mask: Tensor) -> None:
        """Count the notes of whole pieces and add up their velocities."""
        _, struck, loudness, _ = music
        self.notes.count(struck, loudness, mask)

    def forget_counts(self) -> None:
        """Reset the counts."""
        self.notes.number.zero_()
        self.notes.velocity.zero_()

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """The mean loudness, expanded to (B, T, K)."""
        return self.notes.mean().expand(struck.shape), state


class Key(Mean):
    """Predicts the mean loudness of a note's key in the training pieces.

    One note of mean loudness is added to each key, so a key that was never struck has the overall mean.
    """

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """The mean loudness of each key, expanded to (B, T, K)."""
        return self.notes.key_means().expand(struck.shape), state


class Previous(Mean):
    """Predicts the mean loudness of the notes struck last; the overall mean for the first notes."""

    def start(self, batch: int) -> Tensor:
        """Zeros (B,): no note has been struck yet."""
        return torch.zeros(batch, device=self.device)

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loudness of the last frame with struck keys, (B, T, K), and the state after the last frame."""
        last = _last(previous, state)
        expected = torch.where(last > 0, last, self.notes.mean())
        return expected.unsqueeze(-1).expand(struck.shape), last[:, -1]


class _Notes(nn.Module):
    """The number of notes of each key, and the sum of their velocities."""

    number: Tensor
    velocity: Tensor

    def __init__(self, keys: int) -> None:
        super().__init__()
        self.register_buffer("number", torch.zeros(keys, dtype=torch.int64))
        self.register_buffer("velocity", torch.zeros(keys, dtype=torch.int64))

    def count(self, struck: Tensor, loudness: Tensor, mask: Tensor) -> None:
        notes = (struck > 0) & mask.unsqueeze(-1)
        self.number += notes.sum((0, 1))
        self.velocity += (loudness * LOUDEST).round().long().masked_fill(~notes, 0).sum((0, 1))

    def mean(self) -> Tensor:
        """Mean loudness of all notes, a scalar; 0.5 before any note is counted."""
        number = self.number.sum()
        return torch.where(number > 0, self.velocity.sum() / number.clamp(min=1) / LOUDEST, 0.5)

    def key_means(self) -> Tensor:
        """Mean loudness of each key (K,), with one note of mean loudness added to each."""
        return (self.velocity / LOUDEST + self.mean()) / (self.number + 1)


def _last(previous: Tensor, before: Tensor) -> Tensor:
    """Mean loudness (B, T) of the notes struck last before each frame; 0 where there was none.

    Args:
        previous: (B, T, K), loudness in the frame before each.
        before: (B,), the same number for the frame before the first.
    """
    notes = (previous > 0).sum(-1)
    levels = torch.cat([before.unsqueeze(1), previous.sum(-1) / notes.clamp(min=1)], dim=1)
    time = torch.arange(levels.shape[1], device=levels.device)
    latest = torch.where(pad(notes, (1, 0)) > 0, time, 0).cummax(1).values
    return levels.gather(1, latest)[:, 1:]
