"""Excerpts of a piece: ranges of frames, and bars as numbered in scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import DataError
from zoo.music.meter import Meter, TimeSignature
from zoo.music.roll import Notes, Roll
from zoo.music.tempo import cut_tempo


def roll(*notes: tuple[int, int, int, int], frames: int = 0, meter: Meter | None = None) -> Roll:
    """The roll of (start, end, key, velocity)."""
    start, end, key, velocity = (np.array(column) for column in zip(*notes, strict=True))
    return Roll.from_notes(Notes(start, end, key, velocity.astype(np.uint8)), frames, meter=meter)


def rows(piece: Roll) -> list[tuple[int, int, int, int]]:
    notes = piece.notes()
    columns = (notes.start, notes.end, notes.key, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_notes_across_the_edges_are_cut_there() -> None:
    piece = roll((0, 12, 40, 90), (4, 6, 50, 70), (6, 20, 60, 50), frames=20)
    assert rows(piece.cut(5, 10)) == [(0, 5, 40, 90), (0, 1, 50, 70), (1, 5, 60, 50)]
    assert piece.cut(5, 10).frames == 5
    assert rows(piece.cut(0, 20)) == rows(piece)


def test_unknown_planes_stay_unknown() -> None:
    piece = roll((0, 12, 40, 90), (4, 6, 50, 70))
    blind = Roll(None, piece.sounding).cut(3, 8)
    assert blind.onset is None
    assert blind.velocity is None
    assert (blind.sounding == piece.sounding[3:8]).all()


@given(st.data())
def test_an_excerpt_sounds_like_that_part_of_the_piece(data: st.DataObject) -> None:
    note = st.tuples(st.integers(0, 20), st.integers(1, 12), st.integers(0, 3), st.integers(1, 127))
    notes = data.draw(st.lists(note, min_size=1, max_size=12))
    piece = roll(
        *((start, start + length, key, velocity) for start, length, key, velocity in notes), frames=40
    )
    first = data.draw(st.integers(0, 30))
    last = data.draw(st.integers(first + 1, 40))
    part = piece.cut(first, last)
    assert (part.sounding == piece.sounding[first:last]).all()
    assert part.onset is not None
    assert piece.onset is not None
    assert (part.onset[1:] == piece.onset[first + 1 : last]).all()
    assert ((part.velocity > 0) == part.onset).all()


def test_bars_are_numbered_as_in_a_score() -> None:
    waltz = roll(*((frame, frame + 1, frame % 40, 64) for frame in range(44)), meter=Meter.of(3, 4, offset=8))
    opening = waltz.bars(1, 2)
    assert (opening.frames, opening.meter) == (4 + 24, waltz.meter)  # the upbeat, then two bars
    third = waltz.bars(3, 3)
    assert (third.frames, third.meter.offset) == (12, 0)
    assert rows(third)[0] == (0, 1, 28, 64)
    assert waltz.bars(4, 4).frames == 4  # the piece ends inside it


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 1), (1, 5), (5, 5)])
def test_missing_bars_are_an_error(first: int, last: int) -> None:
    with pytest.raises(DataError, match=f"no bars {first} to {last}: the piece has 4"):
        roll((0, 64, 40, 64)).bars(first, last)


def test_bar_lines_after_a_frame() -> None:
    changing = Meter(4, (TimeSignature(-12, 4, 4), TimeSignature(20, 3, 4)))
    assert [changing.after(0, bars) for bars in range(1, 5)] == [4, 20, 32, 44]
    assert [changing.after(4, bars) for bars in range(1, 3)] == [20, 32]
    assert changing.after(7, 1) == 20


def test_an_excerpt_has_its_own_tempo_changes() -> None:
    changes = ((0, 120.0), (16, 60.0), (32, 240.0))
    assert cut_tempo(90.0, (), 3, 9) == (90.0, ())
    assert cut_tempo(0.0, changes, 17, 30) == (60.0, ())
    assert cut_tempo(0.0, changes, 32, 48) == (240.0, ())
    steady, tempos = cut_tempo(0.0, changes, 8, 24)
    assert tempos == ((0, 120.0), (8, 60.0))
    assert steady == pytest.approx(80.0)  # eight frames at 120, eight at 60
