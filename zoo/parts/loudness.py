"""Distributions of velocities: from an expected loudness to the probability of each velocity 1..127."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import logsigmoid

from zoo.parts.interfaces import LogProb, Sizes, State, Velocity

LOUDEST = 127
"""The highest MIDI velocity of a note (the lowest is 1); loudness is velocity / 127."""
SPREADS = tuple(2 ** (step / 6) for step in range(-4 * 6, 6 * 6 + 1))
"""The spreads that calibration chooses from, in velocities: 1/16 to 64, six per factor of two, so that the
best of them is within 0.003 nats per note of the optimum."""
UNCALIBRATED = 16.0
"""The spread before calibration, in velocities: roughly that of expressive piano playing."""


def velocity_log_prob(expected: Tensor, loudness: Tensor, spread: Tensor) -> Tensor:
    """Log-probability in nats of each note's velocity, always finite; shapes broadcast.

    The distribution is a logistic around the expected velocity, discretised to whole velocities (Salimans et
    al., PixelCNN++, ICLR 2017) and normalised over 1..127.

    Args:
        expected: the centre of the distribution, as loudness in 0..1.
        loudness: the loudness of the note, in 0..1.
        spread: scale of the logistic, in velocities.
    """
    velocity = (loudness * LOUDEST).round().clamp(1, LOUDEST)
    # A centre far outside, which edited weights can give, would lose the velocities to rounding.
    centre = expected.clamp(0, 1) * LOUDEST
    inside = _log_mass(centre, spread, torch.full_like(centre, 0.5), LOUDEST)
    return _log_mass(centre, spread, velocity - 0.5, 1) - inside


def _log_mass(centre: Tensor, spread: Tensor, low: Tensor, width: float) -> Tensor:
    """Log of the logistic's mass between `low` and `low + width`.

    Uses s(b) - s(a) = s(b) s(-a) (1 - exp(a - b)) for the sigmoid s, which avoids cancellation.
    """
    above, below = (low + width - centre) / spread, (centre - low) / spread
    return logsigmoid(above) + logsigmoid(below) + torch.log(-torch.expm1(-width / spread))


class Spread(nn.Module):
    """The spread of velocities around the expected value, the same for all notes.

    It is the value from `SPREADS` that maximises the likelihood of the notes used for calibration.
    """

    evidence: Tensor
    grid: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("evidence", torch.zeros(len(SPREADS)))
        self.register_buffer("grid", torch.tensor(SPREADS), persistent=False)

    @property
    def value(self) -> Tensor:
        """The spread in velocities, a scalar."""
        best = self.grid[self.evidence.argmax()]
        return torch.where(self.evidence.any(), best, UNCALIBRATED)

    def calibrate(self, expected: Tensor, loudness: Tensor, *, first: bool) -> None:
        """Add the log-likelihood of notes (N,) under each spread; `first` resets it before."""
        if first:
            self.evidence.zero_()
        self.evidence += velocity_log_prob(expected.unsqueeze(-1), loudness.unsqueeze(-1), self.grid).sum(0)


class LogisticVelocity(Velocity):
    """Base class of parts that predict an expected loudness and calibrate the spread of velocities around it.

    A subclass implements `expect`. Training minimises the squared error, the score is the likelihood of the
    velocities, and `predict` returns the expected loudness.
    """

    def __init__(self, settings: Any, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.spread = Spread()

    @abstractmethod
    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Expected loudness (B, T, K) in 0..1 of each key if struck, and the state after the last frame."""

    def loss(
        self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor, generator: Generator
    ) -> Tensor:
        """Squared error of the loudness (B, T), summed over the struck keys of a frame."""
        expected, _ = self.expect(codes, struck, previous, self.start(codes.shape[0]))
        return (expected - loudness).square().masked_fill(struck <= 0, 0).sum(-1)

    def log_prob(self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor) -> LogProb:
        """Exact log-probability (B, T) in nats of the velocities of the struck keys."""
        expected, _ = self.expect(codes, struck, previous, self.start(codes.shape[0]))
        nats = velocity_log_prob(expected, loudness, self.spread.value)
        return LogProb(nats.masked_fill(struck <= 0, 0).sum(-1))

    def predict(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """The expected loudness (B, T, K) of struck keys, 0 for all others."""
        expected, state = self.expect(codes, struck, previous, state)
        return expected.masked_fill(struck <= 0, 0), state

    def calibrate(self, *music: Tensor, mask: Tensor, first: bool) -> None:
        """Fit the spread to the notes of whole pieces."""
        codes, struck, loudness, previous = music
        expected, _ = self.expect(codes, struck, previous, self.start(codes.shape[0]))
        notes = (struck > 0) & mask.unsqueeze(-1)
        self.spread.calibrate(expected[notes], loudness[notes], first=first)
