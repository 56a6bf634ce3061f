"""The floors of velocity, compared with counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor
from zoo_plugins.floors.loudness import Key, Mean, Previous

from zoo.parts import Settings
from zoo.parts.interfaces import Sizes
from zoo.parts.loudness import LogisticVelocity

KEYS = 4
SIZES = Sizes(codes=2, features=0, membership=torch.ones(2, KEYS).bool(), keys=KEYS)
FLOORS = [Mean, Key, Previous]
MASK = torch.tensor([[1] * 12, [1] * 7 + [0] * 5]).bool()


@pytest.fixture
def velocities(rng: Generator) -> Tensor:
    """(2, 12, 4) velocities, most of them 0; key 3 and the first frame have no notes."""
    struck = torch.rand(2, 12, KEYS, generator=rng) < 0.2
    struck[..., 3] = struck[:, :2] = False
    return torch.randint(1, 128, struck.shape, generator=rng) * struck


def part_inputs(velocities: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The inputs of a part: codes, struck keys, loudness and previous loudness."""
    loudness = velocities / 127
    before = torch.cat([torch.zeros_like(loudness[:, :1]), loudness[:, :-1]], 1)
    return torch.zeros(2, loudness.shape[1], 2), (velocities > 0).float(), loudness, before


def counted(part: type[LogisticVelocity], velocities: Tensor) -> LogisticVelocity:
    floor = part(Settings(), SIZES)
    floor.count(*part_inputs(velocities), mask=MASK)
    return floor


def expected(floor: LogisticVelocity, velocities: Tensor, *chunks: int) -> Tensor:
    """The expected loudness (2, 12, 4), computed in chunks."""
    codes, struck, _, previous = part_inputs(velocities)
    state, predicted = floor.start(2), []
    planes = (plane.split(chunks or (12,), 1) for plane in (codes, struck, previous))
    for now in zip(*planes, strict=True):
        loudness, state = floor.expect(*now, state)
        predicted.append(loudness)
    return torch.cat(predicted, 1)


def notes(velocities: Tensor, key: int | None = None) -> list[float]:
    """The loudness of all unmasked notes, or of those of a key."""
    counts = (velocities > 0) & MASK.unsqueeze(-1)
    if key is not None:
        counts, velocities = counts[..., key], velocities[..., key]
    return [velocity / 127 for velocity in velocities[counts].tolist()]


def test_mean_predicts_the_mean_of_all_notes(velocities: Tensor) -> None:
    every = notes(velocities)
    predicted = expected(counted(Mean, velocities), velocities)
    torch.testing.assert_close(predicted, torch.full((2, 12, KEYS), sum(every) / len(every)))


def test_key_predicts_the_smoothed_mean_of_each_key(velocities: Tensor) -> None:
    every = notes(velocities)
    mean = sum(every) / len(every)
    predicted = expected(counted(Key, velocities), velocities)
    for key in range(KEYS):
        own = [*notes(velocities, key), mean]
        torch.testing.assert_close(predicted[..., key], torch.full((2, 12), sum(own) / len(own)))


def test_previous_predicts_the_mean_of_the_notes_struck_last(velocities: Tensor) -> None:
    every = notes(velocities)
    predicted = expected(counted(Previous, velocities), velocities)
    for row in range(2):
        last = sum(every) / len(every)
        for frame in range(12):
            torch.testing.assert_close(predicted[row, frame], torch.full((KEYS,), last))
            now = [velocity / 127 for velocity in velocities[row, frame].tolist() if velocity]
            last = sum(now) / len(now) if now else last


@pytest.mark.parametrize("chunks", [(1,) * 12, (5, 1, 6)])
@pytest.mark.parametrize("part", FLOORS)
def test_chunks_equal_the_whole(
    part: type[LogisticVelocity], chunks: tuple[int, ...], velocities: Tensor
) -> None:
    floor = counted(part, velocities)
    assert torch.equal(expected(floor, velocities, *chunks), expected(floor, velocities))


@pytest.mark.parametrize("part", FLOORS)
def test_a_floor_without_counts_predicts_the_middle(part: type[LogisticVelocity], velocities: Tensor) -> None:
    silence = torch.zeros_like(velocities)
    assert (expected(part(Settings(), SIZES), silence) == 0.5).all()
    assert (expected(counted(part, silence), silence) == 0.5).all()


@pytest.mark.parametrize("part", FLOORS)
def test_the_spread_of_floors_is_calibrated_on_unmasked_notes(
    part: type[LogisticVelocity], velocities: Tensor
) -> None:
    """Masked notes have no influence on the spread, and no other spread is better."""
    floor, padded = counted(part, velocities), counted(part, velocities)
    louder = torch.where(MASK.unsqueeze(-1), velocities, (velocities > 0) * 127)
    floor.calibrate(*part_inputs(velocities), mask=MASK, first=True)
    # `Previous` depends on the frame before; only expectations of unmasked notes may matter.
    padded.calibrate(*part_inputs(louder), mask=MASK, first=True)
    torch.testing.assert_close(floor.spread.evidence, padded.spread.evidence)

    codes, struck, loudness, previous = part_inputs(velocities)
    scored = floor.log_prob(codes, struck, loudness, previous)
    assert scored.kind == "exact"
    best = scored.value[MASK].sum()
    torch.testing.assert_close(best, floor.spread.evidence.max())
    assert (scored.value[struck.sum(-1) == 0] == 0).all()
