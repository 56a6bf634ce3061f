"""Statistics of the checks: whether numbers are probabilities, and whether draws follow them.

Every test here is run with fixed seeds, so it gives the same verdict every time; the bounds are so wide
(five standard errors, or one in a million) that no honest part fails by its seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.parts.interfaces import Kind, LogProb
from zoo.testing.check import BrokenPromiseError, require

RARE = 1e-6
"""A chi-square test fails where so small a share of honest parts would."""
SIGMAS = 5.0
"""Standard errors within which a mean must lie."""
LOOSE = 0.1
"""Probability that a bound may give away in the checks; a looser one cannot be told from a wrong one."""
REPEATS = 4, 16
"""How often a number that is not exact is asked for: at least, and at most."""
ROWS = 256
"""About so many such numbers are asked for, where that is within the limits."""
DRAWS = 8000
FEW_DRAWS = 2000
"""Where numbers are not exact: their own errors are larger, and such parts are slow."""


@dataclass(frozen=True)
class Scored:
    """Probabilities of all outcomes, as a part scores them.

    Attributes:
        chance: (N,) probabilities, means where the number is not exact.
        error: (N,) their standard errors; 0 where exact.
        kind: what the part calls its numbers.
        together: standard error of their sum, where errors of outcomes go together.
    """

    chance: Tensor
    error: Tensor
    kind: Kind = "exact"
    together: float = 0.0

    @property
    def draws(self) -> int:
        """How many draws to compare with."""
        return DRAWS if self.kind == "exact" else FEW_DRAWS

    @property
    def total(self) -> float:
        """The sum of all probabilities."""
        return float(self.chance.sum())

    @property
    def total_error(self) -> float:
        """Standard error of the sum."""
        return max(float(self.error.square().sum().sqrt()), self.together)

    def given(self, total: float, error: float = 0.0) -> Scored:
        """The same once something of a total probability is known to have happened."""
        together = math.hypot(self.total_error / total, self.total * error / total**2)
        return Scored(self.chance / total, self.error / total, self.kind, together)


def scored(score: Callable[[Tensor, int], LogProb], outcomes: Tensor) -> Scored:
    """Ask for the probability of each outcome (N, T, ...), its frames together, as often as it takes.

    Args:
        score: log-probabilities (rows, T) of such outcomes, with a seed.
        outcomes: everything that can happen, (N, T, width).
    """
    first = score(outcomes, 0)
    nats = first.value.double().sum(1)
    if first.kind == "exact":
        return Scored(nats.exp(), torch.zeros_like(nats))
    least, most = REPEATS
    repeats = min(max(least, ROWS // len(outcomes)), most)
    more = score(outcomes.repeat(repeats - 1, 1, 1), 1).value.double().sum(1)
    nats = torch.cat([nats, more]).view(repeats, -1)
    if first.kind == "bound":
        chance = nats.exp().mean(0)
        spread = ((nats.exp() / chance.clamp(min=1e-300)).var(0).mean()).sqrt()
    else:
        chance = nats.mean(0).exp()
        spread = nats.var(0).mean().sqrt()
    # One spread for all outcomes: a few repeats of each say too little about its own.
    together = float(nats.exp().sum(1).std()) / repeats**0.5
    return Scored(chance, chance * (spread / repeats**0.5 + 1e-6), first.kind, together)


def require_total_one(probabilities: Scored, what: str) -> None:
    """All probabilities together are 1; a bound may give away a little."""
    low = high = 1e-4 + SIGMAS * probabilities.total_error
    if probabilities.kind == "bound":
        low += LOOSE
    total = probabilities.total
    require(high < 0.25, f"{what}: too vague to say anything, {total:.4g} ± {probabilities.total_error:.2g}")
    require(1 - low <= total <= 1 + high, f"{what}: probabilities sum to {total:.5g}")


def chi_square_p(counts: Tensor, expected: Tensor) -> float:
    """How likely counts at least so far from what was expected are; rare outcomes are pooled."""
    counts, expected = counts.double(), expected.double()
    rare = expected < 5
    counts = torch.cat([counts[~rare], counts[rare].sum(0, keepdim=True)])
    expected = torch.cat([expected[~rare], expected[rare].sum(0, keepdim=True)])
    counts, expected = counts[expected > 0], expected[expected > 0]
    statistic = ((counts - expected).square() / expected).sum()
    freedom = torch.tensor(max(len(counts) - 1, 1), dtype=torch.float64)
    return float(torch.special.gammaincc(freedom / 2, statistic / 2))


def require_draws(counts: Tensor, probabilities: Scored, what: str) -> None:
    """Counts (N,) of what was drawn agree with the probabilities.

    Exact numbers by a chi-square test. Others outcome by outcome, within `SIGMAS` errors of both; a bound
    may lie below.

    Raises:
        BrokenPromiseError: with the outcome that is furthest off.
    """
    draws = counts.sum()
    chance = probabilities.chance
    off = counts / draws - chance
    worst = int(off.abs().argmax())
    seen = (
        f"{what}: outcome {worst} was drawn {float(counts[worst]):.0f} times of {int(draws)}, "
        f"expected {float(chance[worst] * draws):.1f}"
    )
    require(not ((counts > 0) & (chance == 0)).any(), f"{what}: drawn, though it has no probability; {seen}")
    if probabilities.kind == "exact":
        likely = chi_square_p(counts, chance * draws)
        require(likely > RARE, f"{seen} (chi-square, p = {likely:.1e})")
        return
    error = (chance * (1 - chance) / draws + probabilities.error.square()).sqrt() + 3 / draws
    too_often = off > SIGMAS * error + (LOOSE * chance if probabilities.kind == "bound" else 0)
    if bool((too_often | (off < -SIGMAS * error)).any()):
        raise BrokenPromiseError(seen)


def everything(width: int, frames: int = 1) -> Tensor:
    """All (2**(T*width)) outcomes of some frames of bits, (N, T, width)."""
    bits = torch.arange(2 ** (frames * width)).unsqueeze(-1) >> torch.arange(frames * width) & 1
    return bits.float().view(-1, frames, width)


def number_of(bits: Tensor) -> Tensor:
    """Which row of `everything` each outcome (..., T, width) is, (...) int64."""
    flat = bits.flatten(-2).long()
    return (flat << torch.arange(flat.shape[-1])).sum(-1)


def entropy(counts: Tensor) -> float:
    """Nats of the frequencies of some counts (N,)."""
    share = counts[counts > 0] / counts.sum()
    return -float((share * share.log()).sum())
