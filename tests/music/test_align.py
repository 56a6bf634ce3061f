"""Alignment: synthetic files come back on the grid and in the bars they were made in."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.music.align import Alignment, align
from zoo.music.beats import Beats
from zoo.music.meter import Meter, TimeSignature
from zoo.music.score import Score

EXAMPLES = int(os.environ.get("ZOO_STRESS_EXAMPLES", "200"))
DIVISION = 480
FRAME = DIVISION // 4
SIGNS = [(2, 4), (3, 4), (4, 4), (5, 4), (6, 8), (9, 8), (12, 8), (7, 8)]


def score(frames, ticks=None, signatures=(), tempos=(), lengths=None, pitch=None):
    """A score whose notes are written in these frames of sixteenths, at these ticks if they are given."""
    frames = np.asarray(frames, np.int64)
    start = np.sort(frames * FRAME if ticks is None else np.asarray(ticks, np.int64))
    length = np.full(len(start), FRAME) if lengths is None else np.asarray(lengths) * FRAME
    return Score(
        division=DIVISION,
        start=start,
        end=start + length,
        pitch=np.full(len(start), 60) if pitch is None else np.asarray(pitch),
        velocity=np.full(len(start), 64, np.uint8),
        channel=np.zeros(len(start), np.int64),
        tempos=tempos,
        signatures=signatures,
        last=int(start.max(initial=0)) + FRAME,
    )


def placed(alignment: Alignment, music: Score) -> list[int]:
    return np.floor(alignment.positions(music.start) + 0.5).astype(int).tolist()


@st.composite
def files(draw):
    """A file with its frames and its meter: an upbeat, a shift, jitter, tempos and changes of meter."""
    sign = draw(st.sampled_from(SIGNS))
    bar = int(TimeSignature(0, *sign).bar(4))
    upbeat = draw(st.one_of(st.just(0), st.integers(1, bar - 1)))
    frames = np.cumsum(draw(st.lists(st.integers(1, 5), min_size=40, max_size=120)))
    most = FRAME // 2 - FRAME // 10  # music half a frame late could as well be half a frame early
    shift = draw(st.integers(-most, most))
    most = draw(st.sampled_from([0, FRAME // 5]))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    jitter = chance.integers(-most, most + 1, len(frames))
    ticks = np.maximum.accumulate(np.maximum(frames * FRAME + shift + jitter, 0))
    first = draw(st.sampled_from([(upbeat, 16)] if upbeat and upbeat % 4 else [(upbeat // 4 or 1, 4)]))
    changes, signatures = [TimeSignature(upbeat - bar if upbeat else 0, *sign)], []
    if upbeat:
        signatures.append((0, *first))
    signatures.append((upbeat * FRAME, *sign))
    other = draw(st.sampled_from(SIGNS))
    if draw(st.booleans()) and other != sign:
        line = upbeat + bar * draw(st.integers(2, 3))  # after one bar it would be an upbeat
        changes.append(TimeSignature(line, *other))
        signatures.append((line * FRAME, *other))
    tempos = draw(st.lists(st.tuples(st.integers(0, 9000), st.integers(200_000, 900_000)), max_size=3))
    music = score(frames, ticks, tuple(signatures), tuple(sorted(tempos)))
    return music, frames, Meter(4, tuple(changes))


@given(files())
@settings(max_examples=EXAMPLES, deadline=None)
def test_frames_and_bars_come_back_whatever_the_shift_and_the_jitter(file):
    music, frames, meter = file
    found = align(music)
    assert placed(found, music) == frames.tolist()
    assert found.kind in ("stated", "shifted")
    assert found.off_grid <= 0.05
    places = found.meter.places(np.arange(frames[-1]))
    expected = meter.places(np.arange(frames[-1]))
    assert places.place.tolist() == expected.place.tolist()
    assert places.beat.tolist() == expected.beat.tolist()


@pytest.mark.parametrize("grid", [4, 6, 8, 12, 24])
def test_music_on_the_files_own_grid_is_not_shifted(grid):
    frames = np.arange(0, 400, 3)
    music = score(frames, signatures=((0, 3, 4),))
    found = align(music, grid)
    assert found.kind == "stated"
    assert np.allclose(found.positions(music.start), frames * grid / 4)
    assert found.meter == Meter.of(3, 4, grid=grid)


@pytest.mark.parametrize("swing", [(0, 320), (0, 160, 320)])
def test_swing_and_triplets_are_on_the_files_own_grid(swing):
    ticks = np.concatenate([quarter * DIVISION + np.array(swing) for quarter in range(40)])
    found = align(score([], ticks))
    assert found.kind == "stated"
    assert np.allclose(found.positions(np.array([480, 960])), [4, 8])
    twelve = align(score([], ticks), 12)
    assert twelve.off_grid == 0


def test_a_free_performance_is_unaligned():
    chance = np.random.default_rng(0)
    music = score([], np.cumsum(chance.integers(30, 400, 300)))
    found = align(music)
    assert found.kind == "unaligned"
    assert found.off_grid > 0.4
    assert np.allclose(found.positions(music.start), music.start / FRAME)


def test_few_notes_shift_nothing():
    assert align(score([], [50, 170, 290])).kind == "stated"


def song(bars=64, seed=0):
    """Chords on the beat that change with the bar, low notes on the first, and a melody in eighths."""
    chance = np.random.default_rng(seed)
    notes = []
    for bar in range(bars):
        root = int(chance.choice([48, 53, 55, 57]))
        notes.append((16 * bar, root - 12, 12))
        for beat in range(4):
            notes += [(16 * bar + 4 * beat, root + step, 3) for step in (0, 4, 7)]
        notes += [(16 * bar + 2 * eighth, int(72 + chance.integers(12)), 2) for eighth in range(8)]
    notes.sort()
    frames, pitch, lengths = zip(*notes, strict=True)
    return np.array(frames), np.array(pitch), np.array(lengths)


@pytest.mark.parametrize("late", [0, 4, 5, 11, 14])
@pytest.mark.parametrize("part", [0, 37])
def test_without_a_word_of_the_file_accents_say_where_bars_begin(late, part):
    frames, pitch, lengths = song()
    ticks = (frames + late) * FRAME + part
    found = align(score(frames, ticks, (), (), lengths, pitch))
    assert found.meter == Meter.of(offset=-late % 16)


def test_a_meter_that_the_accents_contradict_is_not_believed():
    frames, pitch, lengths = song()
    music = score(frames, (frames + 5) * FRAME + 37, ((0, 2, 4),), (), lengths, pitch)
    assert align(music).meter == Meter.of(offset=11)
    assert align(replace(music, signatures=((0, 1, 4),))).meter == Meter.of(offset=11)


def test_a_short_first_bar_is_an_upbeat():
    music = score(range(0, 80, 2), signatures=((0, 1, 4), (DIVISION, 4, 4)))
    assert align(music).meter == Meter.of(offset=12)


def test_a_signature_that_says_the_same_again_changes_nothing():
    music = score(range(0, 80, 2), signatures=((0, 4, 4), (8 * DIVISION, 4, 4)))
    assert align(music).meter == Meter()
    cut = score(range(0, 80, 2), signatures=((0, 4, 4), (6 * DIVISION, 4, 4)))
    assert align(cut).meter == Meter(4, (TimeSignature(), TimeSignature(24, 4, 4)))


def test_beats_bend_time_and_bars_follow_the_downbeats():
    """A performance that slows down, in 3/4 with an upbeat of a quarter note."""
    lengths = 0.4 + 0.01 * np.arange(40)
    seconds = 0.7 + np.concatenate([[0], np.cumsum(lengths)])
    downbeat = np.arange(len(seconds)) % 3 == 1
    sixteenths = np.interp(np.arange(0, 160) / 4, np.arange(len(seconds)), seconds)
    ticks = np.rint(sixteenths * DIVISION * 2).astype(int)
    music = score([], ticks)
    found = align(music, beats=Beats(seconds, downbeat))
    assert found.kind == "annotated"
    places = placed(found, music)
    assert places == list(range(places[0], places[0] + 160))
    assert places[0] >= 0
    assert str(found.meter) == "3/4"
    assert found.meter.places(np.array([places[0] + 4])).place.tolist() == [0]
    assert found.off_grid == 0
    assert found.off_grid_before > 0.3


def test_a_beat_that_is_missing_does_not_tear_the_grid():
    seconds = np.delete(np.arange(32) * 0.5, [9, 10])
    music = score(range(0, 124, 2))
    found = align(music, beats=Beats(seconds, np.zeros(len(seconds), bool)))
    assert placed(found, music) == list(range(0, 124, 2))


def test_beats_that_count_in_compound_time_are_dotted():
    music = score(range(0, 96, 2), signatures=((0, 6, 8),))
    seconds = np.arange(0, 12) * 0.75
    found = align(music, beats=Beats(seconds, np.arange(12) % 2 == 0))
    assert found.meter == Meter.of(6, 8)
    assert placed(found, music) == list(range(0, 96, 2))
