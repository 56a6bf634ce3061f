"""Velocities that count: one loudness for all, one for each key, or as loud as just before."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from zoo.parts import Settings
from zoo.parts.interfaces import Sizes, State
from zoo.parts.loudness import LOUDEST, LogisticVelocity


class Mean(LogisticVelocity):
    """Every note as loud as the mean note of the training pieces."""

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.notes = _Notes(sizes.keys)

    def count(self, *music: Tensor, mask: Tensor) -> None:
        """Count the notes of whole pieces and how loud they are."""
        _, struck, loudness, _ = music
        self.notes.count(struck, loudness, mask)

    def forget_counts(self) -> None:
        """No note was heard."""
        self.notes.number.zero_()
        self.notes.velocity.zero_()

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """The mean everywhere (B, T, K)."""
        return self.notes.mean().expand(struck.shape), state


class Key(Mean):
    """Every note as loud as the notes of its key in the training pieces, on average.

    Each key counts one more note, as loud as the mean note, so a key that was never struck has that.
    """

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """The mean of each key (B, T, K)."""
        return self.notes.key_means().expand(struck.shape), state


class Previous(Mean):
    """Every note as loud as the notes struck last, on average; the first notes as the mean note."""

    def start(self, batch: int) -> Tensor:
        """No note was struck yet: 0 (B,)."""
        return torch.zeros(batch, device=self.device)

    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The loudness (B, T, K) of the last frame in which a key was struck, and the last such (B,)."""
        last = _last(previous, state)
        expected = torch.where(last > 0, last, self.notes.mean())
        return expected.unsqueeze(-1).expand(struck.shape), last[:, -1]


class _Notes(nn.Module):
    """How many notes each key has, and what their velocities add up to."""

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
        """Mean loudness of all notes, one number; before any is counted, the middle."""
        number = self.number.sum()
        return torch.where(number > 0, self.velocity.sum() / number.clamp(min=1) / LOUDEST, 0.5)

    def key_means(self) -> Tensor:
        """Mean loudness of each key (K,), one note of mean loudness added to each."""
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
