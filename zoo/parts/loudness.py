"""How loud: from one loudness that a part expects to a probability of each velocity 1..127."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import logsigmoid

from zoo.parts.interfaces import LogProb, Sizes, State, Velocity

LOUDEST = 127
"""MIDI velocities of notes are 1..127, loudness is their 127th part."""
SPREADS = tuple(2 ** (step / 6) for step in range(-4 * 6, 6 * 6 + 1))
"""The spreads that calibration chooses from, in velocities: 1/16 to 64, six in an octave, so close that
the best of them is within 0.003 nats a note of the best there is."""
UNCALIBRATED = 16.0
"""The spread before any calibration, in velocities: of people who play with feeling, roughly."""


def velocity_log_prob(expected: Tensor, loudness: Tensor, spread: Tensor) -> Tensor:
    """Log-probability in nats of each note's velocity, finite whatever is expected; shapes broadcast.

    A logistic distribution around the expected velocity, cut into steps one velocity wide (Salimans et
    al., PixelCNN++, ICLR 2017) and divided by what of it lies in 1..127.

    Args:
        expected: loudness in 0..1 that the distribution lies around.
        loudness: what is played, in 0..1.
        spread: scale of the logistic, in velocities.
    """
    velocity = (loudness * LOUDEST).round().clamp(1, LOUDEST)
    centre = expected * LOUDEST
    inside = _log_mass(centre, spread, torch.full_like(centre, 0.5), LOUDEST)
    return _log_mass(centre, spread, velocity - 0.5, 1) - inside


def _log_mass(centre: Tensor, spread: Tensor, low: Tensor, width: float) -> Tensor:
    """Log of the logistic's mass between `low` and `low + width`.

    s(b) - s(a) = s(b) s(-a) (1 - exp(a - b)) for the sigmoid s, and no factor is lost to rounding.
    """
    above, below = (low + width - centre) / spread, (centre - low) / spread
    return logsigmoid(above) + logsigmoid(below) + torch.log(-torch.expm1(-width / spread))


class Spread(nn.Module):
    """How far notes are played from what is expected, the same for all of them.

    The spread is the one of `SPREADS` under which the notes of calibration are likeliest.
    """

    evidence: Tensor
    grid: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("evidence", torch.zeros(len(SPREADS)))
        self.register_buffer("grid", torch.tensor(SPREADS), persistent=False)

    @property
    def value(self) -> Tensor:
        """The spread in velocities, one number."""
        best = self.grid[self.evidence.argmax()]
        return torch.where(self.evidence.any(), best, UNCALIBRATED)

    def calibrate(self, expected: Tensor, loudness: Tensor, *, first: bool) -> None:
        """Add notes (N,) to the evidence for each spread; the `first` ones begin anew."""
        if first:
            self.evidence.zero_()
        self.evidence += velocity_log_prob(expected.unsqueeze(-1), loudness.unsqueeze(-1), self.grid).sum(0)


class LogisticVelocity(Velocity):
    """A part that expects one loudness of each key; notes scatter around it with one calibrated spread.

    A subclass says what it expects. It is trained by the squared error, scored by the likelihood of the
    velocities, and plays exactly what it expects.
    """

    def __init__(self, settings: Any, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.spread = Spread()

    @abstractmethod
    def expect(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Loudness (B, T, K) in 0..1 that each key has if it is struck; the state after the last frame."""

    def loss(
        self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor, generator: Generator
    ) -> Tensor:
        """Squared error of the loudness, summed over the struck keys of a frame, (B, T)."""
        expected, _ = self.expect(codes, struck, previous, self.start(codes.shape[0]))
        return (expected - loudness).square().masked_fill(struck <= 0, 0).sum(-1)

    def log_prob(self, codes: Tensor, struck: Tensor, loudness: Tensor, previous: Tensor) -> LogProb:
        """Exact nats (B, T) of the velocities of the struck keys."""
        expected, _ = self.expect(codes, struck, previous, self.start(codes.shape[0]))
        nats = velocity_log_prob(expected, loudness, self.spread.value)
        return LogProb(nats.masked_fill(struck <= 0, 0).sum(-1))

    def predict(self, codes: Tensor, struck: Tensor, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """What is expected of the struck keys, 0 at all others (B, T, K)."""
        expected, state = self.expect(codes, struck, previous, state)
        return expected.masked_fill(struck <= 0, 0), state

    def calibrate(self, *music: Tensor, mask: Tensor, first: bool) -> None:
        """Fit the spread to the notes of whole pieces."""
        codes, struck, loudness, previous = music
        expected, _ = self.expect(codes, struck, previous, self.start(codes.shape[0]))
        notes = (struck > 0) & mask.unsqueeze(-1)
        self.spread.calibrate(expected[notes], loudness[notes], first=first)
