"""Delay lines: values of the original, and the same results in chunks and as a whole."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.func import functional_call
from zoo_plugins.latency.latency import Latency
from zoo_plugins.latency.settings import LatencySettings

from zoo.model.original import read_original
from zoo.parts.clock import CLOCK, Clock
from zoo.parts.interfaces import Sizes
from zoo.parts.layers import with_clock

Draw = Callable[..., Tensor]
SIZES = Sizes(codes=3, features=0, membership=torch.eye(3, dtype=torch.bool), keys=3)


def latency(*, mix: bool, lags: tuple[int, ...] = (1, 3, 5, 40)) -> Latency:
    torch.manual_seed(0)
    return Latency(LatencySettings(group=4, features=6, lags=[lag / 4 for lag in lags], mix=mix), SIZES)


@torch.no_grad()
@pytest.mark.parametrize("mix", [True, False])
@pytest.mark.parametrize("chunks", [(1,) * 100, (1, 1, 7, 30, 1, 45, 15), (40, 40, 20), (39, 41, 20)])
def test_chunks_of_any_length_equal_the_whole(frames: Draw, mix: bool, chunks: tuple[int, ...]) -> None:
    part, codes = latency(mix=mix), frames(2, 100, 3)
    clock = Clock.common_time(torch.arange(100).expand(2, -1))
    whole, _ = part(codes, clock, part.start(codes[:, :0]))
    state, pieces = part.start(codes[:, :0]), []
    for last in accumulate(chunks):
        now = slice(sum(piece.shape[1] for piece in pieces), last)
        features, state = part(codes[:, now], clock[:, now], state)
        pieces.append(features)
    torch.testing.assert_close(torch.cat(pieces, 1), whole)


@torch.no_grad()
def test_a_line_of_lag_three_equals_three_interleaved_lstms(frames: Draw) -> None:
    part, codes = latency(mix=False, lags=(3,)), frames(2, 10, 3)
    present = with_clock(codes, Clock.common_time(torch.arange(10).expand(2, -1)))
    hidden, _ = part.lines(present, part.start(codes[:, :0])[0])
    lstm = part.lines.lstms[0]
    for first in range(3):
        alone, _ = lstm(present[:, first::3], lstm.start(2))
        torch.testing.assert_close(hidden[:, first::3], alone)


@torch.no_grad()
def test_lines_depend_on_each_other_only_if_mixed(frames: Draw) -> None:
    codes, clock = frames(1, 8, 3), Clock.common_time(torch.arange(8).expand(1, -1))
    for mix in (True, False):
        part = latency(mix=mix, lags=(1, 2))
        recent, _ = part.start(codes[:, :0])
        silent, _ = part.lines(with_clock(codes, clock), recent)
        louder = ((recent[0][0] + 1, recent[0][1]), recent[1])
        moved, _ = part.lines(with_clock(codes, clock), louder)
        assert not torch.equal(silent[..., :4], moved[..., :4])
        assert torch.equal(silent[..., 4:], moved[..., 4:]) is not mix


@torch.no_grad()
@pytest.mark.parametrize("chunk", [79, 1, 16])
def test_lines_and_features_equal_those_of_the_original(shared: Path, chunk: int) -> None:
    folder = shared / "reference"
    with np.load(folder / "golden_latency.npz") as arrays:
        golden = {name: torch.from_numpy(arrays[name]).transpose(0, 1).float() for name in arrays}
    original = read_original(
        folder / "original" / "latency-model.pt", folder / "original" / "baseline-decoder.pt"
    )
    part = Latency(LatencySettings(), Sizes(codes=12, features=0, membership=torch.zeros(12, 88).bool()))
    part.load_state_dict(
        {
            name.removeprefix("attention."): weight
            for name, weight in original.weights.items()
            if name.startswith("attention.")
        }
    )
    codes, clock = golden["codes"][:, :-1], Clock.common_time(torch.arange(79).expand(3, -1))
    state = part.start(codes[:, :0])
    for first in range(0, 79, chunk):
        now = slice(first, first + chunk)
        lines, _ = part.lines(with_clock(codes[:, now], clock[:, now]), state[0])
        features, state = part(codes[:, now], clock[:, now], state)
        torch.testing.assert_close(lines, golden["latency_output"][:, now], atol=1e-5, rtol=0)
        torch.testing.assert_close(features, golden["features"][:, now], atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1, 3, 7])
def test_gradients_of_mixed_lines_are_numerically_correct(length: int) -> None:
    lags, rng = (1, 2, 5), torch.Generator().manual_seed(0)
    lines = latency(mix=True, lags=lags).lines.double()
    names = [name for name, _ in lines.named_parameters()]

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng, dtype=torch.float64, requires_grad=True)

    def walk(present: Tensor, *tensors: Tensor) -> list[Tensor]:
        weights, states = tensors[: len(names)], tensors[len(names) :]
        recent = tuple(zip(states[::2], states[1::2], strict=True))
        hidden, states_after = functional_call(
            lines, dict(zip(names, weights, strict=True)), (present, recent)
        )
        return [hidden, *(plane for memory in states_after for plane in memory)]

    states = [draw(2, lag, 4) for lag in lags for _ in ("hidden", "cell")]
    weights = [draw(*weight.shape) for weight in lines.parameters()]
    assert gradcheck(walk, (draw(2, length, 3 + CLOCK), *weights, *states), fast_mode=True)
