"""Each measure on music whose answer can be told by hand, and what must not move it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.measure import music
from zoo.measure.music import MEASURES, Histogram
from zoo.music import tonality
from zoo.music.meter import Meter, TimeSignature
from zoo.music.roll import Notes, Roll

MIDDLE_C = 60
WALTZ = Meter.of(3, 4)
CHANGES = Meter(4, (TimeSignature(0, 4, 4), TimeSignature(32, 3, 4), TimeSignature(56, 6, 8)))
"""Two bars of 16 frames, two of 12 in 3/4, then of 12 in 6/8."""


def played(*notes, frames, meter=None):
    """A roll of (start, end, MIDI pitch)."""
    start, end, pitch = np.array(notes, np.int64).reshape(-1, 3).T
    notes = Notes(start, end, pitch - 21, np.full(len(start), 64, np.uint8))
    return Roll.from_notes(notes, frames, meter=meter)


def noise(seed, frames=96, low=0, high=88):
    rng = np.random.default_rng(seed)
    notes = [
        (start, start + rng.integers(1, 9), 21 + rng.integers(low, high))
        for start in rng.integers(0, frames - 9, size=60)
    ]
    return played(*notes, frames=frames)


def shifted(roll, semitones):
    onset, sounding = (np.roll(plane, semitones, axis=1) for plane in (roll.onset, roll.sounding))
    return replace(roll, onset=onset, sounding=sounding)


def finer(roll, times):
    """The same music on a grid that is finer by a whole number."""
    notes = roll.notes()
    notes = replace(notes, start=notes.start * times, end=notes.end * times)
    changes = tuple(replace(change, frame=change.frame * times) for change in roll.meter.changes)
    meter = Meter(roll.meter.grid * times, changes)
    return Roll.from_notes(notes, roll.frames * times, meter=meter)


SILENT = played(frames=64)


def test_polyphony_counts_the_keys_that_sound_at_once():
    roll = played((0, 8, 60), (0, 4, 64), (2, 4, 67), frames=16)
    found = music.keys_at_once(roll)
    assert found[:5].tolist() == [8, 4, 2, 2, 0]
    assert found.sum() == 16
    assert music.chords(roll) == 4 / 16
    assert music.silence(roll) == 8 / 16


def test_pitch_classes_weigh_by_how_long_they_sound_in_any_octave():
    found = tonality.pitch_class_frames(played((0, 3, 60), (0, 2, 72), (5, 6, 58), frames=8))
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


def test_the_groove_of_a_waltz_is_that_of_its_own_bars():
    waltz = [(beat, beat + 2, 60) for beat in range(0, 48, 12)]
    assert music.groove_consistency(played(*waltz, frames=48, meter=WALTZ)) == 1
    assert music.groove_consistency(played(*waltz, frames=48)) < 1
    after_an_upbeat = played(
        *((a + 4, b + 4, 60) for a, b, _ in waltz), frames=52, meter=Meter.of(3, 4, offset=8)
    )
    assert music.groove_consistency(after_an_upbeat) == 1


def test_groove_pairs_bars_of_equal_length_only():
    downbeats = (0, 16, 32, 44, 56, 68)
    roll = played(*((frame, frame + 2, 60) for frame in downbeats), frames=80, meter=CHANGES)
    assert music.groove_consistency(roll) == 1
    syncopated = played(
        *((frame, frame + 2, 60) for frame in (0, 16, 18, 33, 45, 57, 69)), frames=80, meter=CHANGES
    )
    pairs = [1 / 16, 0, 0, 0]  # bars 1 and 2, 3 and 4, 4 and 5, 5 and 6; none of 2 and 3
    assert music.groove_consistency(syncopated) == 1 - np.mean(pairs)
    unequal = Meter(4, (TimeSignature(), TimeSignature(16, 3, 4)))
    assert music.groove_consistency(played((0, 2, 60), (16, 18, 60), frames=28, meter=unequal)) is None


def test_a_repeated_note_is_two_and_a_held_one_is_long():
    roll = played((0, 4, 60), (4, 8, 60), (0, 8, 67), frames=8)
    found = music.note_lengths(roll)
    assert (found[4], found[8], found.sum()) == (2, 1, 3)


def test_repetition_asks_for_the_same_pitch_classes_and_not_for_silence():
    roll = played((0, 2, 60), (16, 18, 72), (18, 20, 64), frames=48)
    assert music.repetition(1)(roll) == 2 / (4 + 4)  # frames 16 to 19, and 32 to 35 where they are missing
    assert music.repetition(2)(roll) == 0
    assert music.repetition(4)(roll) is None
    assert music.repetition(1)(played((0, 64, 60), (0, 64, 65), frames=64)) == 1


def test_repetition_looks_back_by_bars_of_the_meter():
    tune = [(12 * bar + beat, 12 * bar + beat + 4, 60 + beat) for bar in range(4) for beat in (0, 4, 8)]
    assert [music.repetition(lag)(played(*tune, frames=48, meter=WALTZ)) for lag in (1, 2)] == [1, 1]
    assert music.repetition(1)(played(*tune, frames=48)) < 0.2
    upbeat = played((2, 4, 60), (14, 16, 60), (26, 28, 62), frames=28, meter=Meter.of(3, 4, offset=8))
    assert music.repetition(1)(upbeat) == 2 / 4


def test_repetition_looks_back_at_bars_of_equal_length_only():
    roll = played(
        (0, 16, 60), (16, 32, 60), (32, 44, 62), (44, 56, 62), (56, 80, 62), frames=80, meter=CHANGES
    )
    assert music.repetition(1)(roll) == 1
    assert music.repetition(2)(roll) == 1
    lower = played(
        (0, 16, 60), (16, 32, 60), (32, 44, 62), (44, 56, 64), (56, 80, 62), frames=80, meter=CHANGES
    )
    assert music.repetition(1)(lower) == (16 + 12) / (16 + 12 + 24)
    assert music.repetition(2)(lower) == 12 / 24  # bars 5 and 6 beside 3 and 4


@given(st.integers(0, 2**16), st.integers(16, 96))
def test_in_common_time_bars_are_sixteen_frames(seed, frames):
    roll = noise(seed, 105)
    roll = Roll(roll.onset[:frames], roll.sounding[:frames])
    whole = frames // 16
    strikes = roll.onset.any(1)[: whole * 16].reshape(-1, 16)
    pairs = (strikes[1:] | strikes[:-1]).any(1)
    groove = 1 - (strikes[1:] != strikes[:-1])[pairs].mean() if pairs.any() else None
    assert music.groove_consistency(roll) == pytest.approx(groove)
    assert music.empty_bars(roll) == (~roll.sounding[: whole * 16].reshape(whole, -1).any(1)).mean()
    classes = np.stack([roll.sounding[:, step::12].any(1) for step in range(12)], axis=1)
    for lag in (1, 2, 4):
        now, then = classes[16 * lag :], classes[: -16 * lag]
        heard = (now | then).any(1)
        expected = 1 - (now != then).any(1)[heard].mean() if heard.any() else None
        assert music.repetition(lag)(roll) == pytest.approx(expected)


@given(
    st.integers(0, 2**16), st.sampled_from([2, 3, 6]), st.sampled_from([WALTZ, CHANGES, Meter.of(offset=4)])
)
def test_bars_and_lengths_are_the_same_on_a_finer_grid(seed, times, meter):
    roll = replace(noise(seed), meter=meter)
    fine = finer(roll, times)
    assert fine.meter.grid == 4 * times
    for name in ("empty bars", "silent frames", "repeats after 1 bar", "repeats after 2 bars", "key range"):
        assert MEASURES[name].of(fine) == pytest.approx(MEASURES[name].of(roll)), name
    lengths, coarse = music.note_lengths(fine), music.note_lengths(roll)
    assert (lengths[::times] == coarse).all()
    assert lengths.sum() == coarse.sum()


def test_bars_are_empty_where_nothing_sounds_not_where_nothing_is_struck():
    assert music.empty_bars(played((0, 20, 60), frames=64)) == 2 / 4
    assert music.empty_bars(played((0, 4, 60), frames=12)) is None


def test_empty_bars_are_bars_of_the_meter():
    notes = [(0, 12, 60), (20, 24, 60), (40, 48, 60)]
    assert music.empty_bars(played(*notes, frames=48, meter=WALTZ)) == 1 / 4
    assert music.empty_bars(played(*notes, frames=48)) == 0
    # the upbeat and the last bar are not whole
    assert music.empty_bars(played((2, 4, 60), (30, 31, 60), frames=31, meter=Meter.of(3, 4, offset=4))) == 1


def test_the_key_range_is_from_the_lowest_key_to_the_highest():
    assert music.key_range(played((0, 1, 40), (5, 6, 71), frames=8)) == 31


def test_silence_has_no_scale_no_groove_no_range_and_repeats_nothing():
    absent = {"scale consistency", "groove consistency", "key range"} | {
        f"repeats after {n}" for n in ("1 bar", "2 bars", "4 bars")
    }
    for name, measure in MEASURES.items():
        found = measure.of(SILENT)
        assert (found is None) == (name in absent), name
    assert music.silence(SILENT) == music.empty_bars(SILENT) == 1


@given(st.integers(0, 2**16), st.integers(-12, 12))
def test_no_measure_hears_the_key_that_music_is_in(seed, semitones):
    roll = replace(noise(seed, low=20, high=60), meter=CHANGES)
    for name, measure in MEASURES.items():
        np.testing.assert_allclose(measure.of(roll), measure.of(shifted(roll, semitones)), err_msg=name)


@given(st.integers(0, 2**16))
def test_shares_are_shares_and_histograms_count_something(seed):
    roll = replace(noise(seed), meter=CHANGES)
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
            np.testing.assert_array_equal(measure.of(roll), measure.of(replace(roll, onset=None)))
