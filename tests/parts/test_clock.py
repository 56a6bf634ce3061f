"""The clock: the position of frames in their bars."""

from __future__ import annotations

import numpy as np
import torch

from zoo.music.meter import Meter
from zoo.parts.clock import CLOCK, Clock, joined


def test_in_common_time_features_are_the_digits_of_the_frame_modulo_64() -> None:
    features = Clock.common_time(torch.arange(200)).features()
    assert features.shape == (200, CLOCK)
    digits = features[:, [0, 1, 3, 4, 5, 6]].long()
    numbers = (digits << torch.arange(5, -1, -1)).sum(1)
    assert torch.equal(numbers, torch.arange(200) % 64)
    assert not features[:, [2, 7]].any()
    assert features[:, 8:].unique(dim=0).tolist() == [[1.0, 1.0]]


def test_features_are_distinct_for_all_positions_of_a_bar_on_every_grid() -> None:
    for grid in (1, 3, 4, 6, 8, 12, 24, 48):
        features = Clock.common_time(torch.arange(16 * grid), grid).features()
        assert len(features.unique(dim=0)) == 16 * grid


def test_features_distinguish_bars_of_three_and_four() -> None:
    frames = torch.zeros(1, 1, dtype=torch.int64)
    waltz = Clock(frames, frames, frames + 12, frames + 4).features()
    jig = Clock(frames, frames, frames + 12, frames + 6).features()
    common = Clock.common_time(frames).features()
    assert len(torch.stack([waltz, jig, common]).unique(dim=0)) == 3


def test_each_piece_of_a_batch_has_its_own_meter() -> None:
    meters = [Meter.of(6, 8, grid=2), Meter.of(3, 4, offset=4, grid=2)]
    clock = Clock.in_meters(meters, np.array([[-1, 0, 5, 6], [0, 1, 2, 8]]), 2)
    assert clock.bar.tolist() == [[-1, 0, 0, 1], [-1, -1, 0, 1]]
    assert clock.place.tolist() == [[5, 0, 5, 0], [4, 5, 0, 0]]
    assert clock.length.unique().tolist() == [6]
    assert clock.beat.tolist() == [[3] * 4, [2] * 4]
    assert clock.grid == 2
    assert Clock.in_meters([], np.zeros((0, 7), np.int64), 2).shape == (0, 7)


def test_ends_of_beats_and_bars() -> None:
    clock = Clock.common_time(torch.arange(-1, 16))
    assert clock.ends_bar.nonzero().flatten().tolist() == [0, 16]
    assert clock.ends_beat.nonzero().flatten().tolist() == [0, 4, 8, 12, 16]


def test_indexing_and_joining_apply_to_all_planes() -> None:
    clock = Clock.common_time(torch.arange(12).view(2, 6), grid=8)
    again = joined([clock[:, :2], clock[:, 2:]], 1)
    assert all(map(torch.equal, again.tensors(), clock.tensors()))
    assert (again.grid, again.shape) == (8, (2, 6))
