"""minGRU: computing all frames at once equals frame by frame, with its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from zoo_plugins.mingru.mingru import LONGEST, MinGRU
from zoo_plugins.mingru.scan import gated_average
from zoo_plugins.mingru.settings import MinGRUSettings

from zoo.parts.interfaces import Sizes

SIZES = Sizes(codes=3, features=0, membership=torch.eye(3, dtype=torch.bool), keys=3)


def frame_by_frame(inputs: Tensor, before: Tensor) -> Tensor:
    averages = []
    for gate, candidate in (frame.chunk(2, -1) for frame in inputs.unbind(1)):
        before = torch.lerp(before, candidate, gate.sigmoid())
        averages.append(before)
    return torch.stack(averages, 1)


def random(frames: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(frames)
    inputs = torch.randn(2, frames, 6, generator=rng, dtype=torch.float64, requires_grad=True)
    return inputs, torch.randn(2, 3, generator=rng, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 16, 30, 100])
def test_all_frames_at_once_equal_frame_by_frame(frames: int) -> None:
    inputs, before = random(frames)
    torch.testing.assert_close(gated_average(inputs, before), frame_by_frame(inputs, before))


@pytest.mark.parametrize("frames", [1, 2, 5, 12, 30])
def test_gradients_equal_those_of_frame_by_frame(frames: int) -> None:
    inputs, before = random(frames)
    weight = torch.linspace(-1, 1, 6 * frames, dtype=torch.float64).view(2, frames, 3)
    result = torch.autograd.grad((gated_average(inputs, before) * weight).sum(), (inputs, before))
    expected = torch.autograd.grad((frame_by_frame(inputs, before) * weight).sum(), (inputs, before))
    torch.testing.assert_close(result, expected)


def test_long_silence_neither_overflows_nor_vanishes() -> None:
    """The product of these gates underflows."""
    inputs = torch.zeros(1, 5000, 2)
    inputs[..., 0], inputs[..., 1] = 3.0, 2.0
    inputs.requires_grad_()
    averages = gated_average(inputs, torch.ones(1, 1))
    torch.testing.assert_close(averages[0, 100:, 0], torch.full((4900,), 2.0))
    (gradient,) = torch.autograd.grad(averages.sum(), inputs)
    assert gradient.isfinite().all()
    torch.testing.assert_close(gradient[0, 10:4900, 1], torch.ones(4890))


def test_inputs_are_not_modified() -> None:
    inputs, before = random(12)
    copies = inputs.detach().clone(), before.detach().clone()
    gated_average(inputs, before).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.equal(inputs, copies[0])
    assert torch.equal(before, copies[1])


def test_initial_units_average_over_a_beat_to_several_bars() -> None:
    torch.manual_seed(0)
    part = MinGRU(MinGRUSettings(hidden=9), SIZES)
    for layer in (part.lowest, *part.higher):
        spans = 1 / layer.bias[:9].sigmoid()
        torch.testing.assert_close(spans[[0, -1]], torch.tensor([2.0, LONGEST]))
        assert (spans.diff() > 0).all()
