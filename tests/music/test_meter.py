"""Meter: bar lines, upbeats and beats on any grid."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.music.meter import Meter, TimeSignature

METERS = st.tuples(st.integers(1, 13), st.sampled_from([1, 2, 4, 8, 16, 32]))


def places(meter: Meter, first: int, last: int) -> tuple[list[int], ...]:
    found = meter.places(np.arange(first, last))
    return tuple(plane.tolist() for plane in (found.bar, found.place, found.length, found.beat))


def test_common_time_counts_sixteen_frames_from_the_first() -> None:
    bar, place, length, beat = places(Meter(), -1, 17)
    assert bar == [-1] + [0] * 16 + [1]
    assert place == [15, *range(16), 0]
    assert set(length) == {16}
    assert set(beat) == {4}


def test_an_upbeat_is_the_bar_before_the_first() -> None:
    meter = Meter.of(3, 4, offset=8)
    bar, place, length, _ = places(meter, 0, 5)
    assert meter.offset == 8
    assert bar == [-1, -1, -1, -1, 0]
    assert place == [8, 9, 10, 11, 0]
    assert set(length) == {12}
    assert meter.bar_lines(30).tolist() == [4, 16, 28]


@pytest.mark.parametrize(
    ("beats", "unit", "grid", "bar", "beat"),
    [
        (6, 8, 4, 12, 6),
        (12, 8, 4, 24, 6),
        (9, 8, 12, 54, 18),
        (2, 2, 4, 16, 8),
        (3, 4, 6, 18, 6),
        (7, 8, 4, 14, 2),
    ],
)
def test_bars_and_beats_have_the_lengths_of_the_signature(
    beats: int, unit: int, grid: int, bar: int, beat: int
) -> None:
    found = Meter.of(beats, unit, grid=grid).places(np.arange(3))
    assert found.length.tolist() == [bar] * 3
    assert found.beat.tolist() == [beat] * 3


def test_a_change_of_meter_cuts_the_bar_before_it() -> None:
    meter = Meter(4, (TimeSignature(0, 4, 4), TimeSignature(24, 3, 4), TimeSignature(48, 6, 8)))
    assert meter.bar_lines(70).tolist() == [0, 16, 24, 36, 48, 60]
    bar, _, length, beat = places(meter, 16, 49)
    assert length[0] == 8
    assert bar[-1] == 4
    assert (beat[0], beat[-1]) == (4, 6)
    assert str(meter) == "4/4, 3/4, 6/8"


def test_bars_that_do_not_fit_the_grid_stay_within_half_a_frame() -> None:
    meter = Meter.of(5, 32)
    lines = meter.bar_lines(50)
    assert np.abs(lines - 2.5 * np.arange(len(lines))).max() <= 0.5


@given(METERS, METERS, st.integers(1, 48), st.integers(1, 200), st.integers(0, 30))
def test_places_count_up_from_every_bar_line(
    one: tuple[int, int], two: tuple[int, int], grid: int, change: int, offset: int
) -> None:
    bar = TimeSignature(0, *one).bar(grid)
    meter = Meter(
        grid, (TimeSignature(-min(offset, max(int(bar) - 1, 0)), *one), TimeSignature(change, *two))
    )
    found = meter.places(np.arange(-3, 300))
    steps = np.diff(found.place)
    lines = steps != 1
    assert (found.place[1:][lines] == 0).all()
    assert (np.diff(found.bar)[lines] >= 1).all()
    assert (np.diff(found.bar)[~lines] == 0).all()
    assert (found.place < found.length).all()
    assert (found.length <= max(int(bar) + 1, int(TimeSignature(0, *two).bar(grid)) + 1)).all()
    assert change in meter.bar_lines(300)


@given(METERS, st.integers(1, 12), st.integers(0, 100), st.integers(1, 90))
def test_a_cut_piece_keeps_its_places(one: tuple[int, int], grid: int, first: int, change: int) -> None:
    meter = Meter(grid, (TimeSignature(0, *one), TimeSignature(change, 4, 4)))
    if any(signature.bar(grid).denominator > 1 for signature in meter.changes):
        return
    whole, cut = meter.places(np.arange(first, first + 60)), meter.cut(first).places(np.arange(60))
    assert cut.place.tolist() == whole.place.tolist()
    assert cut.beat.tolist() == whole.beat.tolist()
    assert np.diff(cut.bar).tolist() == np.diff(whole.bar).tolist()


def test_a_meter_survives_json() -> None:
    meter = Meter(12, (TimeSignature(-8, 3, 4), TimeSignature(28, 6, 8)))
    assert Meter.from_json(asdict(meter)) == meter


def test_bars_tell_which_are_whole() -> None:
    bars = Meter(4, (TimeSignature(-8, 3, 4), TimeSignature(16, 2, 4))).bars(30)
    assert bars.number.tolist() == [-1, 0, 1, 2]
    assert bars.line.tolist() == [-8, 4, 16, 24]
    assert bars.end.tolist() == [4, 16, 24, 32]
    assert bars.whole(30).line.tolist() == [4, 16]
    assert bars.whole(32).line.tolist() == [4, 16, 24]
    assert len(Meter().bars(0)) == 0


@given(METERS, st.integers(0, 40), st.integers(1, 12), st.integers(0, 200))
def test_bars_lie_one_after_another_and_hold_every_frame(
    signature: tuple[int, int], offset: int, grid: int, frames: int
) -> None:
    meter = Meter.of(*signature, offset=min(offset, int(4 * grid * signature[0] / signature[1])), grid=grid)
    bars = meter.bars(frames)
    assert (bars.line[1:] == bars.end[:-1]).all()
    assert bars.line[bars.line >= 0].tolist() == meter.bar_lines(frames).tolist()
    if frames:
        assert bars.line[0] <= 0 < frames <= bars.end[-1]


def test_signatures_are_those_that_hold_in_the_piece() -> None:
    changes = (
        TimeSignature(-4, 2, 4),
        TimeSignature(0, 3, 4),
        TimeSignature(12, 4, 4),
        TimeSignature(28, 5, 4),
    )
    meter = Meter(4, changes)
    assert meter.signatures(13) == changes[1:3]
    assert meter.signatures(12) == meter.signatures(0) == changes[1:2]
    assert Meter(4, (changes[0],)).signatures(1) == (changes[0],)


def test_time_signatures_hold_for_the_frames_of_the_piece() -> None:
    changes = (TimeSignature(-4), TimeSignature(12, 3, 4), TimeSignature(24), TimeSignature(40, 5, 4))
    assert Meter(4, changes).held(30) == {(4, 4): 12 + 6, (3, 4): 12}
    assert Meter(4, changes).held(0) == {}
