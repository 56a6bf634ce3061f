"""Stacked LSTMs: residual layers, and dropout in training only."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from zoo_plugins.stacked.settings import StackedSettings
from zoo_plugins.stacked.stacked import Stacked

from zoo.parts.clock import Clock
from zoo.parts.interfaces import Sizes
from zoo.parts.layers import with_clock

Draw = Callable[..., Tensor]
SIZES = Sizes(codes=3, features=0, membership=torch.eye(3, dtype=torch.bool), keys=3)


def stacked(**settings: float) -> Stacked:
    torch.manual_seed(0)
    return Stacked(StackedSettings(**{"hidden": 5, **settings}), SIZES)


@torch.no_grad()
def test_each_layer_adds_to_the_layers_below(frames: Draw) -> None:
    part, codes = stacked(layers=3).eval(), frames(2, 7, 3)
    clock = Clock.common_time(torch.arange(7).expand(2, -1))
    features, _ = part(codes, clock, part.start(codes[:, :0]))
    expected, _ = torch.nn.LSTM.forward(part.lowest, with_clock(codes, clock))
    for layer, norm in zip(part.higher, part.norms, strict=True):
        expected = expected + torch.nn.LSTM.forward(layer, norm(expected))[0]
    torch.testing.assert_close(features, expected)


@torch.no_grad()
def test_dropout_is_only_active_in_training(frames: Draw) -> None:
    part, codes = stacked(dropout=0.5), frames(2, 7, 3)
    clock = Clock.common_time(torch.arange(7).expand(2, -1))
    outputs = [part(codes, clock, part.start(codes[:, :0]))[0] for _ in range(2)]
    assert not torch.equal(*outputs)
    part.eval()
    outputs = [part(codes, clock, part.start(codes[:, :0]))[0] for _ in range(2)]
    assert torch.equal(*outputs)


def test_a_single_layer_has_no_dropout(frames: Draw) -> None:
    part, codes = stacked(layers=1, dropout=0.5), frames(2, 7, 3)
    clock = Clock.common_time(torch.arange(7).expand(2, -1))
    first, second = (part(codes, clock, part.start(codes[:, :0]))[0] for _ in range(2))
    assert torch.equal(first, second)
