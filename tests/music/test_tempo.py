"""The steady tempo of a piece, and where its tempo changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.music.tempo import microseconds, tempo_map


def test_without_an_event_a_quarter_note_takes_half_a_second():
    assert tempo_map([], 16) == (120, ())
    assert tempo_map([], 0) == (120, ())


def test_one_tempo_is_no_change():
    assert tempo_map([(0, 1_000_000)], 16) == (60, ())
    assert tempo_map([(0, 1_000_000), (4, 1_000_000)], 16) == (60, ())


def test_the_last_event_of_a_frame_counts():
    assert tempo_map([(0, 9), (0, 1_000_000)], 16) == (60, ())
    assert tempo_map([(-3, 250_000), (-1, 1_000_000)], 16) == (60, ())


def test_a_change_starts_from_what_was_before():
    steady, changes = tempo_map([(8, 1_000_000)], 16)
    assert changes == ((0, 120), (8, 60))
    assert steady == pytest.approx(80)


def test_what_comes_after_the_end_is_not_looked_at():
    assert tempo_map([(0, 1_000_000), (16, 7)], 16) == (60, ())


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 2**24 - 1))), st.integers(1, 99))
def test_at_the_steady_tempo_a_piece_lasts_as_long(events, frames):
    events.sort(key=lambda event: event[0])
    steady, changes = tempo_map(events, frames)
    at, duration, tempo = 0, 0.0, 120.0
    for frame in range(frames):
        tempo = dict(changes or ((0, steady),)).get(frame, tempo)
        duration += 15 / tempo
        at += 1
    assert duration == pytest.approx(15 * at / steady)
    assert all(microseconds(speed) in [500_000, *(event for _, event in events)] for _, speed in changes)
    assert [frame for frame, _ in changes] == sorted({frame for frame, _ in changes})
