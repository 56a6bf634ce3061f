"""Samplers that count: how often a code sounds, alone or after itself."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from zoo.parts import Settings
from zoo.parts.interfaces import LogProb, Sampler, Sizes, State
from zoo.parts.masks import bernoulli_log_prob, flip, likely


class Rates(Sampler):
    """Each code sounds at its rate in the training pieces, whatever came before.

    p = (on + 1) / (frames + 2), which is 0.5 before anything is counted.
    """

    on: Tensor
    frames: Tensor

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.register_buffer("on", torch.zeros(sizes.codes, dtype=torch.int64))
        self.register_buffer("frames", torch.zeros((), dtype=torch.int64))

    def count(self, *music: Tensor, mask: Tensor) -> None:
        """Count the codes (B, T, C) of whole pieces."""
        (codes,) = music
        self.on += (codes * mask.unsqueeze(-1)).sum((0, 1)).long()
        self.frames += mask.sum()

    def forget_counts(self) -> None:
        """Reset the counts, so that every probability is 0.5."""
        self.on.zero_()
        self.frames.zero_()

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T); there is nothing to learn from it."""
        return -self.log_prob(features, codes, generator).value

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Exact log-probabilities (B, T)."""
        return LogProb(bernoulli_log_prob(_logits(self.on, self.frames), codes).sum(-1))

    def sample(
        self,
        features: Tensor,
        state: State,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, State]:
        """Independent codes (B, 1, C); the temperature divides the logits."""
        chance = (_logits(self.on, self.frames) / temperature).sigmoid()
        return flip(likely(chance, top_p).expand(features.shape[0], 1, -1), generator).float(), state


class Markov(Sampler):
    """Each code sounds at its rate in the training pieces given whether it sounded in the frame before.

    p = (on + 1) / (frames + 2) for each code and each of the two cases; the frame before the first is silent.
    The sampler keeps the previous frame as its state, so it works with any attention.
    """

    on: Tensor
    frames: Tensor

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.register_buffer("on", torch.zeros(2, sizes.codes, dtype=torch.int64))
        self.register_buffer("frames", torch.zeros(2, sizes.codes, dtype=torch.int64))

    def count(self, *music: Tensor, mask: Tensor) -> None:
        """Count the codes (B, T, C) of whole pieces by their state in the frame before."""
        (codes,) = music
        before = _before(codes)
        cases = torch.stack([1 - before, before]) * mask.unsqueeze(-1)
        self.on += (cases * codes).sum((1, 2)).long()
        self.frames += cases.sum((1, 2)).long()

    def start(self, batch: int) -> Tensor:
        """Silence, the frame before the first (B, C)."""
        return torch.zeros(batch, self.sizes.codes, device=self.device)

    def forget_counts(self) -> None:
        """Reset the counts, so that every probability is 0.5."""
        self.on.zero_()
        self.frames.zero_()

    def loss(self, features: Tensor, codes: Tensor, generator: Generator) -> Tensor:
        """The negative log-likelihood (B, T); there is nothing to learn from it."""
        return -self.log_prob(features, codes, generator).value

    def log_prob(self, features: Tensor, codes: Tensor, generator: Generator) -> LogProb:
        """Exact log-probabilities (B, T)."""
        return LogProb(bernoulli_log_prob(self._after(_before(codes)), codes).sum(-1))

    def sample(
        self,
        features: Tensor,
        state: Tensor,
        generator: Generator,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tuple[Tensor, Tensor]:
        """Independent codes (B, 1, C), and the frame as the next state."""
        chance = (self._after(state) / temperature).sigmoid()
        codes = flip(likely(chance, top_p), generator).float()
        return codes.unsqueeze(1), codes

    def follow(self, features: Tensor, codes: Tensor, state: Tensor, generator: Generator) -> Tensor:
        """The last known frame."""
        return codes[:, -1]

    def _after(self, before: Tensor) -> Tensor:
        off, on = _logits(self.on, self.frames)
        return torch.where(before > 0, on, off)


def _before(codes: Tensor) -> Tensor:
    """The frame before each frame (B, T, C), silence before the first."""
    return pad(codes, (0, 0, 1, 0))[:, :-1]


def _logits(on: Tensor, frames: Tensor) -> Tensor:
    """Log-odds of (on + 1) / (frames + 2)."""
    return (on + 1).log() - (frames - on + 1).log()
