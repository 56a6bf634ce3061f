"""Meter: bar lines, upbeats and beats on any grid."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.music.meter import Meter, TimeSignature

USUAL = [(5, 8), (7, 8), (9, 8), (6, 8), (3, 8), (3, 4), (4, 4), (5, 4)]
METERS = st.tuples(st.integers(1, 13), st.sampled_from([1, 2, 4, 8, 16, 32]))


def places(meter: Meter, first: int, last: int) -> tuple[list[int], ...]:
    positions = meter.places(np.arange(first, last))
    return tuple(
        plane.tolist() for plane in (positions.bar, positions.place, positions.length, positions.beat)
    )


def test_common_time_has_bars_of_sixteen_frames() -> None:
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
def test_bars_and_beats_have_the_lengths_of_the_time_signature(
    beats: int, unit: int, grid: int, bar: int, beat: int
) -> None:
    positions = Meter.of(beats, unit, grid=grid).places(np.arange(3))
    assert positions.length.tolist() == [bar] * 3
    assert positions.beat.tolist() == [beat] * 3


def test_a_change_of_meter_cuts_the_previous_bar() -> None:
    meter = Meter(4, (TimeSignature(0, 4, 4), TimeSignature(24, 3, 4), TimeSignature(48, 6, 8)))
    assert meter.bar_lines(70).tolist() == [0, 16, 24, 36, 48, 60]
    bar, _, length, beat = places(meter, 16, 49)
    assert length[0] == 8
    assert bar[-1] == 4
    assert (beat[0], beat[-1]) == (4, 6)
    assert str(meter) == "4/4, 3/4, 6/8"


def test_bars_that_do_not_fit_the_grid_are_off_by_half_a_frame_at_most() -> None:
    meter = Meter.of(5, 32)
    lines = meter.bar_lines(50)
    assert np.abs(lines - 2.5 * np.arange(len(lines))).max() <= 0.5


@given(METERS, METERS, st.integers(1, 48), st.integers(1, 200), st.integers(0, 30))
def test_positions_increase_from_every_bar_line(
    first: tuple[int, int], second: tuple[int, int], grid: int, change: int, offset: int
) -> None:
    bar = TimeSignature(0, *first).bar(grid)
    meter = Meter(
        grid, (TimeSignature(-min(offset, max(int(bar) - 1, 0)), *first), TimeSignature(change, *second))
    )
    positions = meter.places(np.arange(-3, 300))
    steps = np.diff(positions.place)
    lines = steps != 1
    assert (positions.place[1:][lines] == 0).all()
    assert (np.diff(positions.bar)[lines] >= 1).all()
    assert (np.diff(positions.bar)[~lines] == 0).all()
    assert (positions.place < positions.length).all()
    assert (positions.length < max(bar, TimeSignature(0, *second).bar(grid)) + 1.5).all()
    assert change in meter.bar_lines(300)


@dataclass(frozen=True)
class Piece:
    """A piece with an upbeat and changes of meter, and the exact positions of its bar lines in frames."""

    meter: Meter
    lines: list[Fraction]


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    grid = draw(st.integers(1, 12))
    sections = draw(st.lists(st.tuples(st.sampled_from(USUAL), st.integers(1, 6)), min_size=1, max_size=4))
    first = TimeSignature(0, *sections[0][0])
    eighths = draw(st.integers(0, 8 * first.beats // first.unit - 1))
    line, lines, changes = Fraction(eighths * grid, 2), [], []
    if line:
        lines.append(line - first.bar(grid))
    for signature, bars in sections:
        changes.append(TimeSignature(floor(line + Fraction(1, 2)), *signature))
        lines += [line + bar * changes[-1].bar(grid) for bar in range(bars)]
        line += bars * changes[-1].bar(grid)
    return Piece(Meter(grid, (changes[0].opening(grid), *changes[1:])), lines)


@given(pieces())
def test_bar_lines_are_within_a_frame_of_the_exact_ones(piece: Piece) -> None:
    bars = piece.meter.bars(floor(piece.lines[-1]) + 3).take(slice(len(piece.lines)))
    assert (np.diff(bars.number) == 1).all()
    assert bars.number[0] == (-1 if bars.line[0] < 0 else 0)
    assert (bars.line[1:] == bars.end[:-1]).all()
    assert max(abs(line - true) for line, true in zip(bars.line.tolist(), piece.lines, strict=True)) <= 1


@given(pieces(), st.integers(0, 100))
def test_an_excerpt_keeps_its_positions_in_bars(piece: Piece, first: int) -> None:
    whole, cut = piece.meter.places(np.arange(first, first + 200)), piece.meter.cut(first)
    shifted = cut.places(np.arange(200))
    assert shifted.place.tolist() == whole.place.tolist()
    assert shifted.length.tolist() == whole.length.tolist()
    assert shifted.beat.tolist() == whole.beat.tolist()
    assert np.diff(shifted.bar).tolist() == np.diff(whole.bar).tolist()
    assert shifted.bar[0] == (-1 if cut.offset else 0)


def test_an_excerpt_keeps_bars_of_half_frames() -> None:
    meter = Meter.of(9, 8, grid=1)
    assert meter.bar_lines(28).tolist() == [0, 5, 9, 14, 18, 23, 27]
    assert meter.cut(5).bar_lines(23).tolist() == [0, 4, 9, 13, 18, 22]
    assert (meter.cut(5).offset, meter.cut(6).offset, meter.cut(9)) == (0, 1, meter)


def test_no_bar_number_is_skipped_after_half_a_frame() -> None:
    meter = Meter(1, (TimeSignature(0, 5, 8), TimeSignature(3, 4, 4)))
    assert meter.bars(12).number.tolist() == [0, 1, 2, 3]
    assert meter.bars(12).line.tolist() == [0, 3, 7, 11]


def test_an_upbeat_before_bars_of_half_frames_does_not_move_the_first_bar_line() -> None:
    opening = TimeSignature(2, 9, 8).opening(1)
    assert Meter(1, (opening,)).bar_lines(16).tolist() == [2, 7, 11]
    assert Meter(1, (opening, TimeSignature(7, 4, 4))).bars(16).number.tolist() == [-1, 0, 1, 2, 3]


def test_a_meter_is_restored_from_json() -> None:
    meter = Meter(12, (TimeSignature(-8, 3, 4), TimeSignature(28, 6, 8)))
    assert Meter.from_json(asdict(meter)) == meter


def test_whole_bars_are_inside_the_piece() -> None:
    bars = Meter(4, (TimeSignature(-8, 3, 4), TimeSignature(16, 2, 4))).bars(30)
    assert bars.number.tolist() == [-1, 0, 1, 2]
    assert bars.line.tolist() == [-8, 4, 16, 24]
    assert bars.end.tolist() == [4, 16, 24, 32]
    assert bars.whole(30).line.tolist() == [4, 16]
    assert bars.whole(32).line.tolist() == [4, 16, 24]
    assert len(Meter().bars(0)) == 0


@given(METERS, st.integers(0, 40), st.integers(1, 12), st.integers(0, 200))
def test_bars_are_contiguous_and_cover_every_frame(
    signature: tuple[int, int], offset: int, grid: int, frames: int
) -> None:
    meter = Meter.of(*signature, offset=min(offset, int(4 * grid * signature[0] / signature[1])), grid=grid)
    bars = meter.bars(frames)
    assert (bars.line[1:] == bars.end[:-1]).all()
    assert bars.line[bars.line >= 0].tolist() == meter.bar_lines(frames).tolist()
    if frames:
        assert bars.line[0] <= 0 < frames <= bars.end[-1]


def test_signatures_are_those_in_effect_in_the_piece() -> None:
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


def test_durations_count_the_frames_of_the_piece() -> None:
    changes = (TimeSignature(-4), TimeSignature(12, 3, 4), TimeSignature(24), TimeSignature(40, 5, 4))
    assert Meter(4, changes).durations(30) == {(4, 4): 12 + 6, (3, 4): 12}
    assert Meter(4, changes).durations(0) == {}
