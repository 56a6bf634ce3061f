"""The hierarchical attention: the ticks of its levels, in any chunks and rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from zoo_plugins.hierarchical.hierarchical import Hierarchical, _ticking, _ticks
from zoo_plugins.hierarchical.settings import HierarchicalSettings, Level

from zoo.errors import UsageError
from zoo.music.meter import Meter, TimeSignature
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Sizes
from zoo.parts.layers import LSTM
from zoo.registry import open_registry, parse_recipe

Draw = Callable[..., Tensor]
SIZES = Sizes(codes=3, features=0, membership=torch.eye(3, dtype=torch.bool), keys=3)


def hierarchical() -> Hierarchical:
    torch.manual_seed(0)
    return Hierarchical(HierarchicalSettings(hidden=5, features=6), SIZES)


def clocks(*starts: int, length: int) -> Clock:
    return Clock.common_time(torch.tensor(starts).unsqueeze(1) + torch.arange(length))


def clock_of(meter: Meter, first: int, length: int) -> Clock:
    return Clock.in_meters([meter], np.arange(first, first + length)[None], meter.grid)


@torch.no_grad()
@pytest.mark.parametrize("chunks", [(1,) * 40, (3, 5, 1, 31), (16, 16, 8)])
def test_chunks_of_any_length_equal_the_whole(frames: Draw, chunks: tuple[int, ...]) -> None:
    part, codes, clock = hierarchical(), frames(3, 40, 3), clocks(-1, 6, 13, length=40)
    whole, _ = part(codes, clock, part.start(codes[:, :0]))
    state, pieces = part.start(codes[:, :0]), []
    first = 0
    for chunk in chunks:
        now = slice(first, first + chunk)
        features, state = part(codes[:, now], clock[:, now], state)
        pieces.append(features)
        first += chunk
    torch.testing.assert_close(torch.cat(pieces, 1), whole)


@torch.no_grad()
def test_rows_at_different_positions_of_the_bar_are_independent(frames: Draw) -> None:
    part, codes, clock = hierarchical(), frames(3, 40, 3), clocks(-1, 6, 13, length=40)
    whole, _ = part(codes, clock, part.start(codes[:, :0]))
    for row in range(3):
        only = slice(row, row + 1)
        alone, _ = part(codes[only], clock[only], part.start(codes[only, :0]))
        torch.testing.assert_close(alone, whole[only])


@torch.no_grad()
def test_a_level_updates_at_its_ticks_and_is_constant_between_them(frames: Draw) -> None:
    torch.manual_seed(0)
    lstm, below = LSTM(3, 5), frames(1, 10, 3)
    ticks = torch.tensor([[0, 0, 1, 0, 0, 0, 1, 1, 0, 0]], dtype=torch.bool)
    answer, memory = _ticking(lstm, ticks, below, lstm.start(1))
    stepped, after = lstm(below[:, [2, 6, 7]], lstm.start(1))
    expected = torch.cat([torch.zeros(1, 1, 5), stepped], 1)[:, [0, 0, 1, 1, 1, 1, 2, 3, 3, 3]]
    torch.testing.assert_close(answer, expected)
    torch.testing.assert_close(memory, after)


def test_the_top_level_depends_on_complete_bars_only() -> None:
    part = hierarchical()
    codes = torch.zeros(1, 48, 3, requires_grad=True)
    clock = clocks(0, length=48)
    answers = {}

    def note(module: LSTM, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, object]) -> None:
        answers["top"] = outputs[0]

    part.levels[2].register_forward_hook(note)
    part(codes, clock, part.start(codes[:, :0]))
    assert answers["top"].shape[1] == 3
    for bar in range(3):
        (gradient,) = torch.autograd.grad(answers["top"][:, bar].sum(), codes, retain_graph=True)
        has_gradient = gradient.abs().sum(-1)[0] > 0
        assert has_gradient[: 16 * bar + 16].all()
        assert not has_gradient[16 * bar + 16 :].any()


def test_levels_in_the_wrong_order_are_an_error_with_the_right_order() -> None:
    with pytest.raises(UsageError, match=r"use attention\.levels=beat,bar,4bars"):
        parse_recipe("attention=hierarchical attention.levels=bar,beat,4bars", open_registry())


@pytest.mark.parametrize(
    ("meter", "level", "ticks"),
    [
        (Meter.of(3, 4), "bar", [11, 23]),
        (Meter.of(6, 8), "beat", [5, 11, 17, 23]),
        (Meter.of(3, 4, grid=2), "beat", [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]),
        (Meter.of(offset=12), "bar", [3, 19]),
        (Meter.of(2, 4), "2bars", [15]),
        (Meter(4, (TimeSignature(), TimeSignature(6, 2, 4))), "bar", [5, 13, 21]),
        (Meter(4, (TimeSignature(), TimeSignature(6, 2, 4))), "beat", [3, 5, 9, 13, 17, 21]),
    ],
)
def test_levels_tick_on_the_beats_and_bars_of_the_meter(meter: Meter, level: Level, ticks: list[int]) -> None:
    ticking = _ticks(level, clock_of(meter, 0, 24))[0]
    assert ticking.nonzero().flatten().tolist() == ticks


def test_every_level_has_gradients_in_fragments_shorter_than_its_tick(frames: Draw) -> None:
    part, codes = hierarchical(), frames(2, 4, 3)
    features, _ = part(codes, clocks(3, 3, length=4), part.start(codes[:, :0]))
    features.sum().backward()
    assert [name for name, parameter in part.named_parameters() if parameter.grad is None] == []
