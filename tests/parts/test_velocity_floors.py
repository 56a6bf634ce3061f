"""The floors of loudness, against counting by hand."""

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
def velocities(chance: Generator) -> Tensor:
    """(2, 12, 4) velocities, most of them 0; key 3 is never struck, and nothing at first."""
    struck = torch.rand(2, 12, KEYS, generator=chance) < 0.2
    struck[..., 3] = struck[:, :2] = False
    return torch.randint(1, 128, struck.shape, generator=chance) * struck


def heard(velocities: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Codes, struck keys, loudness and the loudness before, as a part hears them."""
    loudness = velocities / 127
    before = torch.cat([torch.zeros_like(loudness[:, :1]), loudness[:, :-1]], 1)
    return torch.zeros(2, loudness.shape[1], 2), (velocities > 0).float(), loudness, before


def counted(part: type[LogisticVelocity], velocities: Tensor) -> LogisticVelocity:
    floor = part(Settings(), SIZES)
    floor.count(*heard(velocities), mask=MASK)
    return floor


def expected(floor: LogisticVelocity, velocities: Tensor, *chunks: int) -> Tensor:
    """What the floor expects (2, 12, 4), heard in chunks."""
    codes, struck, _, previous = heard(velocities)
    state, found = floor.start(2), []
    planes = (plane.split(chunks or (12,), 1) for plane in (codes, struck, previous))
    for now in zip(*planes, strict=True):
        loudness, state = floor.expect(*now, state)
        found.append(loudness)
    return torch.cat(found, 1)


def notes(velocities: Tensor, key: int | None = None) -> list[float]:
    """Loudness of all notes that count, or those of one key."""
    counts = (velocities > 0) & MASK.unsqueeze(-1)
    if key is not None:
        counts, velocities = counts[..., key], velocities[..., key]
    return [velocity / 127 for velocity in velocities[counts].tolist()]


def test_mean_is_the_mean_of_all_notes(velocities: Tensor) -> None:
    every = notes(velocities)
    found = expected(counted(Mean, velocities), velocities)
    torch.testing.assert_close(found, torch.full((2, 12, KEYS), sum(every) / len(every)))


def test_key_is_the_mean_of_each_key_and_one_mean_note(velocities: Tensor) -> None:
    every = notes(velocities)
    mean = sum(every) / len(every)
    found = expected(counted(Key, velocities), velocities)
    for key in range(KEYS):
        own = [*notes(velocities, key), mean]
        torch.testing.assert_close(found[..., key], torch.full((2, 12), sum(own) / len(own)))


def test_previous_is_the_mean_of_the_notes_struck_last(velocities: Tensor) -> None:
    every = notes(velocities)
    found = expected(counted(Previous, velocities), velocities)
    for row in range(2):
        last = sum(every) / len(every)
        for frame in range(12):
            torch.testing.assert_close(found[row, frame], torch.full((KEYS,), last))
            now = [velocity / 127 for velocity in velocities[row, frame].tolist() if velocity]
            last = sum(now) / len(now) if now else last


@pytest.mark.parametrize("chunks", [(1,) * 12, (5, 1, 6)])
@pytest.mark.parametrize("part", FLOORS)
def test_chunks_give_the_whole(
    part: type[LogisticVelocity], chunks: tuple[int, ...], velocities: Tensor
) -> None:
    floor = counted(part, velocities)
    assert torch.equal(expected(floor, velocities, *chunks), expected(floor, velocities))


@pytest.mark.parametrize("part", FLOORS)
def test_a_floor_that_counted_nothing_expects_the_middle(
    part: type[LogisticVelocity], velocities: Tensor
) -> None:
    silence = torch.zeros_like(velocities)
    assert (expected(part(Settings(), SIZES), silence) == 0.5).all()
    assert (expected(counted(part, silence), silence) == 0.5).all()


@pytest.mark.parametrize("part", FLOORS)
def test_floors_are_scored_with_the_spread_of_the_notes_that_count(
    part: type[LogisticVelocity], velocities: Tensor
) -> None:
    """Notes under the mask do not move the spread, and the best spread is no worse than any other."""
    floor, other = counted(part, velocities), counted(part, velocities)
    louder = torch.where(MASK.unsqueeze(-1), velocities, (velocities > 0) * 127)
    floor.calibrate(*heard(velocities), mask=MASK, first=True)
    # Previous hears the frame before: only what is expected of notes that count may matter.
    other.calibrate(*heard(louder), mask=MASK, first=True)
    torch.testing.assert_close(floor.spread.evidence, other.spread.evidence)

    codes, struck, loudness, previous = heard(velocities)
    scored = floor.log_prob(codes, struck, loudness, previous)
    assert scored.kind == "exact"
    best = scored.value[MASK].sum()
    torch.testing.assert_close(best, floor.spread.evidence.max())
    assert (scored.value[struck.sum(-1) == 0] == 0).all()
