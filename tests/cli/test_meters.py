"""The time signatures of a piece in words."""

from __future__ import annotations

import pytest

from zoo.cli.meters import in_order
from zoo.music.meter import Meter, TimeSignature


def meter(*changes: tuple[int, int, int], grid: int = 4) -> Meter:
    return Meter(grid, tuple(TimeSignature(*change) for change in changes))


@pytest.mark.parametrize(
    ("changes", "frames", "words"),
    [
        ([(0, 4, 4)], 100, "4/4"),
        ([(0, 4, 4), (64, 3, 4), (112, 4, 4)], 200, "4/4, then 3/4 from bar 5, then 4/4 from bar 9"),
        ([(0, 4, 4), (64, 3, 4), (112, 4, 4)], 112, "4/4, then 3/4 from bar 5"),
        ([(-12, 4, 4), (68, 3, 4)], 100, "4/4, after an upbeat of 1/4, then 3/4 from bar 5"),
        ([(-9, 6, 8)], 10, "6/8, after an upbeat of 3/16"),
        ([(0, 4, 4), (40, 4, 4), (56, 3, 4)], 100, "4/4, then 3/4 from bar 5"),
        ([(-12, 4, 4), (4, 3, 4)], 3, "4/4, after an upbeat of 1/4"),
    ],
)
def test_time_signatures_come_in_their_order(
    changes: list[tuple[int, int, int]], frames: int, words: str
) -> None:
    assert in_order(meter(*changes), frames) == words


@pytest.mark.parametrize(
    ("bars", "more"), [(4, ""), (5, ", and 1 more change"), (16, ", and 12 more changes")]
)
def test_after_three_changes_the_others_are_counted(bars: int, more: str) -> None:
    piece = meter(*((8 * bar, 2 + 2 * (bar % 2), 4 + 4 * (bar % 2)) for bar in range(bars)))
    named = "2/4, then 4/8 from bar 2, then 2/4 from bar 3, then 4/8 from bar 4"
    assert in_order(piece, 8 * bars) == named + more


def test_an_upbeat_on_a_finer_grid_is_the_same_part_of_a_note() -> None:
    assert in_order(meter((-36, 4, 4), grid=12), 100) == "4/4, after an upbeat of 1/4"
