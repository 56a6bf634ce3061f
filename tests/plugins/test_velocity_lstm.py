"""velocity=lstm: values of the original, and patterns beyond the mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from zoo_plugins.floors.loudness import Mean
from zoo_plugins.velocity.lstm import LSTMVelocity
from zoo_plugins.velocity.settings import VelocitySettings

from zoo.model.original import read_original, restore
from zoo.parts import Settings
from zoo.parts.interfaces import Sizes
from zoo.registry import open_registry

SIZES = Sizes(codes=3, features=0, membership=torch.eye(3).repeat(1, 2).bool(), keys=6)


def velocity(*, struck: bool = True) -> LSTMVelocity:
    torch.manual_seed(0)
    return LSTMVelocity(VelocitySettings(hidden=16, struck=struck), SIZES)


def accents(rows: int, frames: int, rng: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Music with loud upper keys, an accent on every other frame, and small random deviations."""
    struck = (torch.rand(rows, frames, 6, generator=rng) < 0.4).float()
    accent = torch.arange(frames).remainder(2).view(1, -1, 1)
    level = 30 + 40 * accent + 25 * (torch.arange(6) > 2)
    loose = torch.randint(-3, 4, struck.shape, generator=rng)
    loudness = struck * (level + loose) / 127
    previous = torch.cat([torch.zeros_like(loudness[:, :1]), loudness[:, :-1]], 1)
    return (struck @ SIZES.membership.T.float() > 0).float(), struck, loudness, previous


@torch.no_grad()
@pytest.mark.parametrize("chunk", [79, 1, 16])
def test_the_loudness_equals_that_of_the_original(shared: Path, chunk: int) -> None:
    """The values are time first; frame t has the codes of frame t and velocity / 128 of frame t - 1."""
    folder = shared / "reference"
    with np.load(folder / "golden_velocity.npz") as arrays:
        golden = {name: torch.from_numpy(arrays[name]).transpose(0, 1).float() for name in arrays}
    files = (folder / "original" / name for name in ("velocity-model.pt", "velocity-decoder.pt"))
    part = restore(read_original(*files), open_registry()).velocity
    assert isinstance(part, LSTMVelocity)
    codes, keys, previous = golden["codes"][:, 1:], golden["keys"][:, 1:], golden["previous_velocity"]
    state = part.start(3)
    for first in range(0, 79, chunk):
        now = slice(first, first + chunk)
        result, state = part.expect(codes[:, now], keys[:, now], previous[:, now], state)
        torch.testing.assert_close(result, golden["velocity"][:, now], atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("struck", [True, False])
@pytest.mark.parametrize("chunks", [(1,) * 12, (5, 1, 6)])
def test_chunks_equal_the_whole(struck: bool, chunks: tuple[int, ...], rng: Generator) -> None:
    part = velocity(struck=struck)
    codes, keys, _, previous = accents(2, 12, rng)
    whole, _ = part.predict(codes, keys, previous, part.start(2))
    state, result = part.start(2), []
    for now in zip(*(plane.split(chunks, 1) for plane in (codes, keys, previous)), strict=True):
        loudness, state = part.predict(*now, state)
        result.append(loudness)
    torch.testing.assert_close(torch.cat(result, 1), whole)
    assert ((whole > 0) == (keys > 0)).all()


@torch.no_grad()
def test_the_loudness_depends_on_keys_only_with_struck(rng: Generator) -> None:
    codes, keys, _, previous = accents(2, 12, rng)
    for struck in (True, False):
        part = velocity(struck=struck)
        loudness, _ = part.expect(codes, keys, previous, part.start(2))
        loudness_of_other_keys, _ = part.expect(codes, keys.flip(-1), previous, part.start(2))
        assert torch.equal(loudness, loudness_of_other_keys) is not struck


@torch.no_grad()
def test_silence_has_no_loss(rng: Generator) -> None:
    part, silence = velocity(), torch.zeros(2, 5, 6)
    codes, *_ = accents(2, 5, rng)
    assert (part.log_prob(codes, silence, silence, silence).value == 0).all()
    assert (part.loss(codes, silence, silence, silence, rng) == 0).all()
    assert (part.predict(codes, silence, silence, part.start(2))[0] == 0).all()


def test_only_struck_notes_have_gradients(rng: Generator) -> None:
    part = velocity()
    codes, keys, loudness, previous = accents(2, 12, rng)
    keys[..., 4] = 0
    part.loss(codes, keys, loudness, previous, rng).sum().backward()
    bias = part.linear.bias.grad
    assert bias is not None
    assert bias[4] == 0
    assert (bias[keys.sum((0, 1)) > 0] != 0).all()


def test_the_loss_is_the_squared_error_of_the_struck_notes(rng: Generator) -> None:
    part = velocity()
    codes, keys, loudness, previous = accents(2, 12, rng)
    expected, _ = part.predict(codes, keys, previous, part.start(2))
    result = part.loss(codes, keys, loudness, previous, rng)
    torch.testing.assert_close(result, ((expected - loudness) ** 2).sum(-1))


def test_the_lstm_learns_patterns_that_the_mean_cannot(rng: Generator) -> None:
    training, validation, test = (accents(8, 64, rng) for _ in range(3))
    everywhere = torch.ones(8, 64, dtype=torch.bool)
    part, mean = velocity(), Mean(Settings(), SIZES)
    mean.count(*training, mask=everywhere)
    adam = torch.optim.Adam(part.parameters(), lr=0.03)
    for _ in range(120):
        adam.zero_grad()
        part.loss(*training, rng).mean().backward()
        adam.step()
    nats = []
    for floor in (part, mean):
        with torch.no_grad():
            floor.calibrate(*validation, mask=everywhere, first=True)
            nats.append(-floor.log_prob(*test).value.sum() / test[1].sum())
    assert nats[0] < nats[1] - 1
