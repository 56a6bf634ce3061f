"""The mean tempo of a piece, and its tempo changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.music.score import Score
from zoo.music.tempo import microseconds, seconds, tempo_map, tempos_between


def test_the_default_tempo_is_120():
    assert tempo_map([], 16) == (120, ())
    assert tempo_map([], 0) == (120, ())


def test_a_constant_tempo_has_no_changes():
    assert tempo_map([(0, 1_000_000)], 16) == (60, ())
    assert tempo_map([(0, 1_000_000), (4, 1_000_000)], 16) == (60, ())


def test_the_last_event_of_a_frame_counts():
    assert tempo_map([(0, 9), (0, 1_000_000)], 16) == (60, ())
    assert tempo_map([(-3, 250_000), (-1, 1_000_000)], 16) == (60, ())


def test_the_default_tempo_precedes_the_first_change():
    mean, changes = tempo_map([(8, 1_000_000)], 16)
    assert changes == ((0, 120), (8, 60))
    assert mean == pytest.approx(80)


def test_events_after_the_end_are_ignored():
    assert tempo_map([(0, 1_000_000), (16, 7)], 16) == (60, ())


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 2**24 - 1))), st.integers(1, 99))
def test_a_piece_has_the_same_duration_at_its_mean_tempo(events, frames):
    events.sort(key=lambda event: event[0])
    mean, changes = tempo_map(events, frames)
    at, duration, tempo = 0, 0.0, 120.0
    for frame in range(frames):
        tempo = dict(changes or ((0, mean),)).get(frame, tempo)
        duration += 15 / tempo
        at += 1
    assert duration == pytest.approx(15 * at / mean)
    assert all(microseconds(speed) in [500_000, *(event for _, event in events)] for _, speed in changes)
    assert [frame for frame, _ in changes] == sorted({frame for frame, _ in changes})


def score_at(*tempos):
    empty = np.zeros(0, np.int64)
    return Score(480, empty, empty, empty, empty.astype(np.uint8), empty, tempos=tempos)


def test_ticks_are_converted_to_seconds_by_tempo_events():
    score = score_at((960, 1_000_000), (1440, 250_000))
    ticks = np.array([-480.0, 0, 480, 960, 1200, 1440, 1920])
    assert seconds(score, ticks) == pytest.approx([-0.5, 0, 0.5, 1, 1.5, 2, 2.25])
    assert seconds(score_at((0, 1_000_000)), ticks[:3]) == pytest.approx([-1, 0, 1])


def test_the_tempo_follows_from_the_times_of_frames():
    frames, times = np.array([0, 4, 8, 9]), np.array([0.0, 0.5, 1.0, 1.25])
    assert tempos_between(frames, times, 4) == [(0, 500_000), (8, 1_000_000)]


def test_beats_with_jitter_have_a_constant_tempo():
    beats = np.arange(100)
    jittered = beats * 0.6 + np.where(beats % 3, 0.002, -0.002)
    (start, tempo), *others = tempos_between(4 * beats, jittered, 4, 0.02)
    assert (start, others) == (0, [])
    assert tempo == pytest.approx(600_000, rel=1e-3)


def test_the_first_tempo_counts_from_the_beginning():
    assert tempos_between(np.array([8, 12, 16]), np.array([9.0, 10, 12]), 4) == [
        (0, 1_000_000),
        (12, 2_000_000),
    ]
