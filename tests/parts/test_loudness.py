"""The distribution of velocities around the expected loudness, and the calibration of its spread."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from zoo.parts.loudness import SPREADS, Spread, velocity_log_prob

VELOCITIES = torch.arange(1, 128) / 127
WIDE, NARROW = max(SPREADS), min(SPREADS)


def logistic(number: int, centre: float, spread: float, rng: Generator) -> Tensor:
    """Draw the loudness (N,) of notes from a logistic distribution of velocities."""
    even = torch.rand(number, generator=rng, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
    return (centre + spread * even.logit()).round().clamp(1, 127).float() / 127


@pytest.mark.parametrize("spread", [NARROW, 1.0, 16.0, WIDE])
@pytest.mark.parametrize("expected", [-1e12, 0.0, 1e-6, 0.3, 0.999, 1.0, 1e12])
def test_the_probabilities_of_the_127_velocities_sum_to_one(expected: float, spread: float) -> None:
    log_probs = velocity_log_prob(torch.tensor(expected), VELOCITIES, torch.tensor(spread))
    assert log_probs.isfinite().all()
    assert log_probs.double().exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_velocities_have_the_mass_of_a_discretized_logistic() -> None:
    centre, spread = 70.3, 6.0
    edges = (torch.arange(0, 128, dtype=torch.float64) + 0.5 - centre) / spread
    mass = edges.sigmoid().diff() / (edges[-1].sigmoid() - edges[0].sigmoid())
    result = velocity_log_prob(torch.tensor(centre / 127), VELOCITIES, torch.tensor(spread))
    torch.testing.assert_close(result, mass.log().float(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("spread", [NARROW, WIDE])
def test_gradients_are_finite_for_any_expected_loudness(spread: float) -> None:
    expected = torch.tensor([[0.0], [0.5], [1.0]], requires_grad=True)
    velocity_log_prob(expected, VELOCITIES, torch.tensor(spread)).sum().backward()
    assert expected.grad is not None
    assert expected.grad.isfinite().all()


@pytest.mark.parametrize("truth", [1.0, 4.0, 12.0])
def test_calibration_recovers_the_true_spread(truth: float, rng: Generator) -> None:
    notes = logistic(5000, 64, truth, rng)
    spread = Spread()
    spread.calibrate(torch.full_like(notes, 64 / 127), notes, first=True)
    assert truth / 1.13 < spread.value.item() < truth * 1.13


def test_the_grid_of_spreads_is_fine_enough(rng: Generator) -> None:
    """Compared with the optimum of a continuous search."""
    notes = logistic(5000, 64, 5.3, rng)
    expected = torch.full_like(notes, 64 / 127)
    spread = Spread()
    spread.calibrate(expected, notes, first=True)
    best = max(velocity_log_prob(expected, notes, s).mean() for s in torch.linspace(4, 7, 301))
    assert best - velocity_log_prob(expected, notes, spread.value).mean() < 0.003


def test_calibration_accumulates_over_batches_and_resets_at_the_first(rng: Generator) -> None:
    notes = logistic(600, 64, 3.0, rng)
    expected = torch.full_like(notes, 64 / 127)
    whole, parts = Spread(), Spread()
    whole.calibrate(expected, notes, first=True)
    parts.calibrate(expected * 0, notes, first=True)
    for number, piece in enumerate(notes.split(200)):
        parts.calibrate(expected[:200], piece, first=number == 0)
    torch.testing.assert_close(parts.evidence, whole.evidence)


def test_without_notes_the_spread_is_uncalibrated() -> None:
    spread = Spread()
    assert spread.value.item() == 16
    spread.calibrate(torch.zeros(0), torch.zeros(0), first=True)
    assert spread.value.item() == 16


def test_the_spread_is_saved_with_the_weights(rng: Generator) -> None:
    notes = logistic(100, 64, 3.0, rng)
    spread, again = Spread(), Spread()
    spread.calibrate(torch.full_like(notes, 64 / 127), notes, first=True)
    again.load_state_dict(spread.state_dict())
    assert again.value == spread.value != 16
