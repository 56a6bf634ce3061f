"""Statistics for the checks: whether scores are probabilities, and whether draws follow them.

Every test uses fixed seeds, so its verdict is reproducible. The tolerances are wide enough (five standard
errors, or a p-value of one in a million) that a correct part does not fail because of its seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.parts.interfaces import LogProb
from zoo.parts.kinds import Kind
from zoo.testing.check import ContractViolationError, require

RARE = 1e-6
"""Significance level of the chi-square tests."""
SIGMAS = 5.0
"""Standard errors within which a mean must lie."""
LOOSE = 0.1
"""Total probability that a bound may lose; a looser bound cannot be distinguished from a wrong one."""
REPEATS = 4, 16
"""Minimum and maximum number of evaluations of a score that is not exact."""
ROWS = 256
"""Target for the total number of such evaluations, within the limits of `REPEATS`."""
IMPOSSIBLE = 1e-200
"""Probability below which an event is not used as a condition: ratios of such numbers lose their digits."""
DRAWS = 8000
FEW_DRAWS = 2000
"""Draws for scores that are not exact: they have larger errors of their own, and such parts are slow."""


@dataclass(frozen=True)
class Scored:
    """Probabilities of all outcomes, as a part scores them.

    Attributes:
        probability: (N,), averaged over evaluations if the score is not exact.
        error: (N,), standard errors; 0 if exact.
        kind: the kind of score that the part declares.
        joint_error: standard error of the sum, if the errors of the outcomes are correlated.
    """

    probability: Tensor
    error: Tensor
    kind: Kind = "exact"
    joint_error: float = 0.0

    @property
    def draws(self) -> int:
        """The number of draws to compare with."""
        return DRAWS if self.kind == "exact" else FEW_DRAWS

    @property
    def total(self) -> float:
        """The sum of all probabilities."""
        return float(self.probability.sum())

    @property
    def total_error(self) -> float:
        """Standard error of the sum."""
        return max(float(self.error.square().sum().sqrt()), self.joint_error)

    def given(self, total: float, error: float = 0.0) -> Scored:
        """Probabilities conditional on an event of probability `total`, known up to `error`."""
        joint_error = math.hypot(self.total_error / total, self.total * error / total**2)
        return Scored(self.probability / total, self.error / total, self.kind, joint_error)


def scored(score: Callable[[Tensor, int], LogProb], outcomes: Tensor) -> Scored:
    """Probabilities of the outcomes (N, T, width); scores that are not exact are evaluated repeatedly.

    Args:
        score: returns log-probabilities (rows, T) of such outcomes, given a seed.
        outcomes: all possible outcomes, (N, T, width).
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
        probability = nats.exp().mean(0)
        spread = ((nats.exp() / probability.clamp(min=1e-300)).var(0).mean()).sqrt()
    else:
        probability = nats.mean(0).exp()
        spread = nats.var(0).mean().sqrt()
    # One pooled spread for all outcomes: a few repeats are too few to estimate the spread of each.
    joint_error = float(nats.exp().sum(1).std()) / repeats**0.5
    return Scored(probability, probability * (spread / repeats**0.5 + 1e-6), first.kind, joint_error)


def require_total_one(probabilities: Scored, what: str) -> None:
    """Require that the probabilities sum to 1; a bound may sum to a little less."""
    low = high = 1e-4 + SIGMAS * probabilities.total_error
    if probabilities.kind == "bound":
        low += LOOSE
    total = probabilities.total
    noise = f"{total:.4g} ± {probabilities.total_error:.2g}"
    require(high < 0.25, f"{what}: the sum of probabilities is too noisy to test, {noise}")
    require(1 - low <= total <= 1 + high, f"{what}: probabilities sum to {total:.5g}")


def chi_square_p(counts: Tensor, expected: Tensor) -> float:
    """The p-value of a chi-square test of counts against expected counts; rare outcomes are pooled."""
    counts, expected = counts.double(), expected.double()
    rare = expected < 5
    counts = torch.cat([counts[~rare], counts[rare].sum(0, keepdim=True)])
    expected = torch.cat([expected[~rare], expected[rare].sum(0, keepdim=True)])
    counts, expected = counts[expected > 0], expected[expected > 0]
    statistic = ((counts - expected).square() / expected).sum()
    freedom = torch.tensor(max(len(counts) - 1, 1), dtype=torch.float64)
    return float(torch.special.gammaincc(freedom / 2, statistic / 2))


def require_draws(counts: Tensor, probabilities: Scored, what: str) -> None:
    """Require that counts (N,) of drawn outcomes agree with their probabilities.

    Exact scores are compared by a chi-square test, others outcome by outcome, within `SIGMAS` standard
    errors of both; a bound may lie below the frequencies.

    Raises:
        ContractViolationError: they do not; the message names the outcome with the largest deviation.
    """
    draws = counts.sum()
    expected = probabilities.probability
    deviation = counts / draws - expected
    worst = int(deviation.abs().argmax())
    message = (
        f"{what}: outcome {worst} was drawn {float(counts[worst]):.0f} times in {int(draws)}, "
        f"expected {float(expected[worst] * draws):.1f}"
    )
    impossible = (counts > 0) & (expected == 0)
    require(not impossible.any(), f"{what}: outcomes of probability 0 were drawn; {message}")
    if probabilities.kind == "exact":
        p_value = chi_square_p(counts, expected * draws)
        require(p_value > RARE, f"{message} (chi-square, p = {p_value:.1e})")
        return
    error = (expected * (1 - expected) / draws + probabilities.error.square()).sqrt() + 3 / draws
    too_often = deviation > SIGMAS * error + (LOOSE * expected if probabilities.kind == "bound" else 0)
    if bool((too_often | (deviation < -SIGMAS * error)).any()):
        raise ContractViolationError(message)


def everything(width: int, frames: int = 1) -> Tensor:
    """All N = 2**(T*width) sequences of T frames of bits, (N, T, width)."""
    bits = torch.arange(2 ** (frames * width)).unsqueeze(-1) >> torch.arange(frames * width) & 1
    return bits.float().view(-1, frames, width)


def number_of(bits: Tensor) -> Tensor:
    """The row of `everything` that equals each outcome (..., T, width), (...) int64."""
    flat = bits.flatten(-2).long()
    return (flat << torch.arange(flat.shape[-1])).sum(-1)


def entropy(counts: Tensor) -> float:
    """Entropy in nats of the relative frequencies of counts (N,)."""
    share = counts[counts > 0] / counts.sum()
    return -float((share * share.log()).sum())
