"""The history attention of the baseline, and attention=none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from zoo_plugins.baseline.history import History
from zoo_plugins.baseline.settings import HistorySettings
from zoo_plugins.floors.last import Last
from zoo_plugins.floors.local import Local
from zoo_plugins.floors.settings import LocalSettings

from zoo.parts import Settings
from zoo.parts.clock import Clock
from zoo.parts.interfaces import Attention, Sizes
from zoo.registry.fields import allowed

Draw = Callable[..., Tensor]
SIZES = Sizes(codes=3, features=0, membership=torch.eye(3, dtype=torch.bool), keys=3)


def history(*lags: int) -> History:
    """Make a history attention with lags in frames."""
    torch.manual_seed(0)
    quarters = [lag / SIZES.grid for lag in lags]
    return History(HistorySettings(local=5, reader=4, features=6, lags=quarters), SIZES)


def parts() -> list[Attention]:
    torch.manual_seed(0)
    return [history(1, 2, 5), Local(LocalSettings(local=5, features=6), SIZES), Last(Settings(), SIZES)]


ALL = pytest.mark.parametrize("part", parts(), ids=lambda part: type(part).__name__)


def clock(batch: int, length: int) -> Clock:
    return Clock.common_time(torch.arange(-1, length - 1).expand(batch, -1))


@ALL
@pytest.mark.parametrize("past", [0, 2, 5, 9])
@torch.no_grad()
def test_chunks_have_the_features_of_the_whole(part: Attention, frames: Draw, past: int) -> None:
    codes, before = frames(2, 12, 3), frames(2, past, 3)
    whole, _ = part(codes, clock(2, 12), part.start(before))
    assert whole.shape == (2, 12, part.features)
    state, pieces, first = part.start(before), [], 0
    for length in [1, 3, 1, 7]:
        now = slice(first, first + length)
        features, state = part(codes[:, now], clock(2, 12)[:, now], state)
        pieces.append(features)
        first += length
    torch.testing.assert_close(torch.cat(pieces, 1), whole)


@ALL
def test_features_do_not_depend_on_the_future(part: Attention, frames: Draw) -> None:
    codes = frames(1, 8, 3).requires_grad_()
    features, _ = part(codes, clock(1, 8), part.start(frames(1, 4, 3)))
    (gradients,) = torch.autograd.grad(features[:, 4].sum(), codes)
    assert gradients[:, :5].abs().sum() > 0
    assert gradients[:, 5:].abs().sum() == 0


@pytest.mark.parametrize("part", parts()[:2], ids=lambda part: type(part).__name__)
def test_every_layer_has_gradients(part: Attention, frames: Draw) -> None:
    features, _ = part(frames(2, 8, 3), clock(2, 8), part.start(frames(2, 4, 3)))
    features.square().sum().backward()
    assert all(parameter.grad is not None for parameter in part.parameters())
    assert all(
        parameter.grad.abs().sum() > 0 for parameter in part.parameters() if parameter.grad is not None
    )


@torch.no_grad()
@pytest.mark.parametrize("lag", [1, 2, 5, 7])
def test_lags_are_relative_to_the_predicted_frame(frames: Draw, lag: int) -> None:
    part = history(lag, 3)
    part.weigh.weight.zero_()
    part.weigh.bias.copy_(torch.tensor([200.0, 0.0]))
    past, codes = frames(1, 6, 3), frames(1, 4, 3)
    timeline = torch.cat([torch.zeros(1, 4, 3), past, codes], 1)
    looked_up = torch.stack([timeline[:, 4 + 6 + t + 1 - lag] for t in range(4)], 1)
    outline, _ = part.local(torch.cat([codes, clock(1, 4).features()], -1), part.local.start(1))
    expected, _ = part.aggregation(torch.cat([outline, looked_up], -1), part.aggregation.start(1))
    features, _ = part(codes, clock(1, 4), part.start(past))
    torch.testing.assert_close(features, expected)


@torch.no_grad()
def test_features_do_not_depend_on_frames_beyond_the_longest_lag(frames: Draw) -> None:
    part = history(1, 2, 5)
    codes, past = frames(2, 6, 3), frames(2, 5, 3)
    longer = torch.cat([frames(2, 20, 3), past], 1)
    first, _ = part(codes, clock(2, 6), part.start(past))
    second, _ = part(codes, clock(2, 6), part.start(longer))
    assert torch.equal(first, second)


@torch.no_grad()
def test_read_weights_sum_to_one(frames: Draw) -> None:
    part = history(1, 2, 5)
    state = part.start(frames(2, 3, 3))
    weights = part.read_weights(frames(2, 6, 3), clock(2, 6), state)
    assert weights.shape == (2, 6, 3)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 6))


@pytest.mark.parametrize(("grid", "frames"), [(1, (1, 1, 3)), (4, (1, 4, 12)), (12, (3, 12, 36))])
def test_lags_are_in_quarter_notes_on_every_grid(grid: int, frames: tuple[int, ...]) -> None:
    part = History(HistorySettings(lags=(0.25, 1, 3)), replace(SIZES, grid=grid))
    assert part.lags == frames


@pytest.mark.parametrize("lags", [(), (4,), (0, 4), (-4, 8), (4, 257)])
def test_lags_out_of_range_are_an_error(lags: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        HistorySettings(lags=lags)


def test_the_help_describes_the_range_of_lags() -> None:
    words = allowed(HistorySettings.model_fields["lags"])
    assert words.startswith("a comma-separated list, each item a number above 0, of at most 256")
