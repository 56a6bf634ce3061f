"""Each measure on music whose answer can be told by hand, and what must not move it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.measure import music
from zoo.measure.music import MEASURES, Histogram
from zoo.music.roll import Notes, Roll

MIDDLE_C = 60


def played(*notes, frames):
    """A roll of (start, end, MIDI pitch)."""
    start, end, pitch = np.array(notes, np.int64).reshape(-1, 3).T
    return Roll.from_notes(Notes(start, end, pitch - 21, np.full(len(start), 64, np.uint8)), frames)


def noise(seed, frames=96, low=0, high=88):
    rng = np.random.default_rng(seed)
    notes = [
        (start, start + rng.integers(1, 9), 21 + rng.integers(low, high))
        for start in rng.integers(0, frames - 9, size=60)
    ]
    return played(*notes, frames=frames)


def shifted(roll, semitones):
    return Roll(np.roll(roll.onset, semitones, axis=1), np.roll(roll.sounding, semitones, axis=1))


SILENT = played(frames=64)


def test_polyphony_counts_the_keys_that_sound_at_once():
    roll = played((0, 8, 60), (0, 4, 64), (2, 4, 67), frames=16)
    found = music.keys_at_once(roll)
    assert found[:5].tolist() == [8, 4, 2, 2, 0]
    assert found.sum() == 16
    assert music.chords(roll) == 4 / 16
    assert music.silence(roll) == 8 / 16


def test_pitch_classes_weigh_by_how_long_they_sound_in_any_octave():
    found = music.pitch_classes(played((0, 3, 60), (0, 2, 72), (5, 6, 58), frames=8))
    assert found[0] == 5
    assert found[10] == 1
    assert found.sum() == 6


def test_degrees_start_at_the_tonic():
    d_major = [(4 * i, 4 * i + 4, pitch) for i, pitch in enumerate((62, 66, 69, 74, 67, 71, 69, 73, 76, 62))]
    found = music.degrees(played(*d_major, frames=40))
    assert np.flatnonzero(found).tolist() == [0, 2, 4, 5, 7, 9, 11]
    assert found[0] == found.max()
    a_minor = [(0, 8, 57), (0, 8, 60), (0, 8, 64), (8, 12, 56), (8, 12, 59), (12, 20, 57), (12, 20, 60)]
    found = music.degrees(played(*a_minor, frames=20))
    assert found[[0, 3, 7, 11, 2]].tolist() == [16, 16, 8, 4, 4]


def test_scale_consistency_is_the_share_that_the_best_scale_holds():
    white = [(i, i + 1, MIDDLE_C + step) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11))]
    assert music.scale_consistency(played(*white, frames=8)) == 1
    assert music.scale_consistency(played(*white, (7, 8, MIDDLE_C + 1), frames=8)) == 7 / 8
    chromatic = [(i, i + 1, MIDDLE_C + i) for i in range(12)]
    assert music.scale_consistency(played(*chromatic, frames=12)) == pytest.approx(7 / 12)


def test_groove_is_the_share_of_sixteenths_on_which_neighbouring_bars_agree():
    march = [(bar * 16 + beat, bar * 16 + beat + 2, 60) for bar in range(3) for beat in (0, 4, 8, 12)]
    assert music.groove_consistency(played(*march, frames=48)) == 1
    assert music.groove_consistency(played(*march, (18, 19, 40), frames=48)) == 1 - 2 / 32
    assert music.groove_consistency(played((0, 16, 60), frames=96)) == 15 / 16  # silence agrees with nothing
    assert music.groove_consistency(played((0, 16, 60), frames=31)) is None


def test_a_repeated_note_is_two_and_a_held_one_is_long():
    roll = played((0, 4, 60), (4, 8, 60), (0, 8, 67), frames=8)
    found = music.note_lengths(roll)
    assert (found[4], found[8], found.sum()) == (2, 1, 3)


def test_repetition_asks_for_the_same_pitch_classes_and_not_for_silence():
    roll = played((0, 2, 60), (16, 18, 72), (18, 20, 64), frames=48)
    assert music.repetition(16)(roll) == 2 / (4 + 4)  # frames 16 to 19, and 32 to 35 where they are missing
    assert music.repetition(32)(roll) == 0
    assert music.repetition(64)(roll) is None
    assert music.repetition(16)(played((0, 64, 60), (0, 64, 65), frames=64)) == 1


def test_bars_are_empty_where_nothing_sounds_not_where_nothing_is_struck():
    assert music.empty_bars(played((0, 20, 60), frames=64)) == 2 / 4
    assert music.empty_bars(played((0, 4, 60), frames=12)) is None


def test_the_key_range_is_from_the_lowest_key_to_the_highest():
    assert music.key_range(played((0, 1, 40), (5, 6, 71), frames=8)) == 31


def test_silence_has_no_scale_no_groove_no_range_and_repeats_nothing():
    absent = {"scale consistency", "groove consistency", "key range"} | {
        f"repeats after {n}" for n in (16, 32, 64)
    }
    for name, measure in MEASURES.items():
        found = measure.of(SILENT)
        assert (found is None) == (name in absent), name
    assert music.silence(SILENT) == music.empty_bars(SILENT) == 1


@given(st.integers(0, 2**16), st.integers(-12, 12))
def test_no_measure_hears_the_key_that_music_is_in(seed, semitones):
    roll = noise(seed, low=20, high=60)
    for name, measure in MEASURES.items():
        np.testing.assert_allclose(measure.of(roll), measure.of(shifted(roll, semitones)), err_msg=name)


@given(st.integers(0, 2**16))
def test_shares_are_shares_and_histograms_count_something(seed):
    roll = noise(seed)
    for name, measure in MEASURES.items():
        found = measure.of(roll)
        if isinstance(measure, Histogram):
            assert (found >= 0).all(), name
            assert found.sum() > 0, name
        elif measure.unit == "share":
            assert 0 <= found <= 1, name


@given(st.integers(0, 2**16))
def test_what_needs_no_onsets_does_not_look_at_them(seed):
    roll = noise(seed)
    for measure in MEASURES.values():
        if not measure.needs_onsets:
            np.testing.assert_array_equal(measure.of(roll), measure.of(Roll(None, roll.sounding)))
