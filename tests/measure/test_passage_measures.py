"""Each measure on music with a known answer, and its invariances."""

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


def roll_of(*notes, frames, meter=None):
    """A roll of notes (start, end, MIDI pitch)."""
    start, end, pitch = np.array(notes, np.int64).reshape(-1, 3).T
    notes = Notes(start, end, pitch - 21, np.full(len(start), 64, np.uint8))
    return Roll.from_notes(notes, frames, meter=meter)


def noise(seed, frames=96, low=0, high=88):
    rng = np.random.default_rng(seed)
    notes = [
        (start, start + rng.integers(1, 9), 21 + rng.integers(low, high))
        for start in rng.integers(0, frames - 9, size=60)
    ]
    return roll_of(*notes, frames=frames)


def transpose(roll, semitones):
    onset, sounding = (np.roll(plane, semitones, axis=1) for plane in (roll.onset, roll.sounding))
    return replace(roll, onset=onset, sounding=sounding)


def refine_grid(roll, times):
    """The same music on a grid that is finer by an integer factor."""
    notes = roll.notes()
    notes = replace(notes, start=notes.start * times, end=notes.end * times)
    changes = tuple(replace(change, frame=change.frame * times) for change in roll.meter.changes)
    meter = Meter(roll.meter.grid * times, changes)
    return Roll.from_notes(notes, roll.frames * times, meter=meter)


SILENT = roll_of(frames=64)


def test_polyphony_counts_simultaneous_keys():
    roll = roll_of((0, 8, 60), (0, 4, 64), (2, 4, 67), frames=16)
    result = music.keys_at_once(roll)
    assert result[:5].tolist() == [8, 4, 2, 2, 0]
    assert result.sum() == 16
    assert music.chords(roll) == 4 / 16
    assert music.silence(roll) == 8 / 16


def test_pitch_classes_are_weighted_by_duration_in_all_octaves():
    result = tonality.pitch_class_frames(roll_of((0, 3, 60), (0, 2, 72), (5, 6, 58), frames=8))
    assert result[0] == 5
    assert result[10] == 1
    assert result.sum() == 6


def test_degrees_are_relative_to_the_tonic():
    d_major = [(4 * i, 4 * i + 4, pitch) for i, pitch in enumerate((62, 66, 69, 74, 67, 71, 69, 73, 76, 62))]
    result = music.degrees(roll_of(*d_major, frames=40))
    assert np.flatnonzero(result).tolist() == [0, 2, 4, 5, 7, 9, 11]
    assert result[0] == result.max()
    a_minor = [(0, 8, 57), (0, 8, 60), (0, 8, 64), (8, 12, 56), (8, 12, 59), (12, 20, 57), (12, 20, 60)]
    result = music.degrees(roll_of(*a_minor, frames=20))
    assert result[[0, 3, 7, 11, 2]].tolist() == [16, 16, 8, 4, 4]


def test_scale_consistency_is_the_fraction_in_the_best_scale():
    white = [(i, i + 1, MIDDLE_C + step) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11))]
    assert music.scale_consistency(roll_of(*white, frames=8)) == 1
    assert music.scale_consistency(roll_of(*white, (7, 8, MIDDLE_C + 1), frames=8)) == 7 / 8
    chromatic = [(i, i + 1, MIDDLE_C + i) for i in range(12)]
    assert music.scale_consistency(roll_of(*chromatic, frames=12)) == pytest.approx(7 / 12)


def test_groove_consistency_compares_the_onsets_of_neighbouring_bars():
    march = [(bar * 16 + beat, bar * 16 + beat + 2, 60) for bar in range(3) for beat in (0, 4, 8, 12)]
    assert music.groove_consistency(roll_of(*march, frames=48)) == 1
    assert music.groove_consistency(roll_of(*march, (18, 19, 40), frames=48)) == 1 - 2 / 32
    # pairs of bars without onsets are left out
    assert music.groove_consistency(roll_of((0, 16, 60), frames=96)) == 15 / 16
    assert music.groove_consistency(roll_of((0, 16, 60), frames=31)) is None


def test_groove_consistency_uses_the_bars_of_the_meter():
    waltz = [(beat, beat + 2, 60) for beat in range(0, 48, 12)]
    assert music.groove_consistency(roll_of(*waltz, frames=48, meter=WALTZ)) == 1
    assert music.groove_consistency(roll_of(*waltz, frames=48)) < 1
    after_an_upbeat = roll_of(
        *((a + 4, b + 4, 60) for a, b, _ in waltz), frames=52, meter=Meter.of(3, 4, offset=8)
    )
    assert music.groove_consistency(after_an_upbeat) == 1


def test_groove_consistency_compares_bars_of_equal_length_only():
    downbeats = (0, 16, 32, 44, 56, 68)
    roll = roll_of(*((frame, frame + 2, 60) for frame in downbeats), frames=80, meter=CHANGES)
    assert music.groove_consistency(roll) == 1
    syncopated = roll_of(
        *((frame, frame + 2, 60) for frame in (0, 16, 18, 33, 45, 57, 69)), frames=80, meter=CHANGES
    )
    pairs = [1 / 16, 0, 0, 0]  # bars 1 and 2, 3 and 4, 4 and 5, 5 and 6; none of 2 and 3
    assert music.groove_consistency(syncopated) == 1 - np.mean(pairs)
    unequal = Meter(4, (TimeSignature(), TimeSignature(16, 3, 4)))
    assert music.groove_consistency(roll_of((0, 2, 60), (16, 18, 60), frames=28, meter=unequal)) is None


def test_note_lengths_distinguish_repeated_and_held_notes():
    roll = roll_of((0, 4, 60), (4, 8, 60), (0, 8, 67), frames=8)
    result = music.note_lengths(roll)
    assert (result[4], result[8], result.sum()) == (2, 1, 3)


def test_repetition_compares_pitch_classes_and_leaves_out_silence():
    roll = roll_of((0, 2, 60), (16, 18, 72), (18, 20, 64), frames=48)
    assert music.repetition(1)(roll) == 2 / (
        4 + 4
    )  # compared: frames 16 to 19, and 32 to 35, where they are missing
    assert music.repetition(2)(roll) == 0
    assert music.repetition(4)(roll) is None
    assert music.repetition(1)(roll_of((0, 64, 60), (0, 64, 65), frames=64)) == 1


def test_repetition_uses_the_bars_of_the_meter():
    tune = [(12 * bar + beat, 12 * bar + beat + 4, 60 + beat) for bar in range(4) for beat in (0, 4, 8)]
    assert [music.repetition(lag)(roll_of(*tune, frames=48, meter=WALTZ)) for lag in (1, 2)] == [1, 1]
    assert music.repetition(1)(roll_of(*tune, frames=48)) < 0.2
    upbeat = roll_of((2, 4, 60), (14, 16, 60), (26, 28, 62), frames=28, meter=Meter.of(3, 4, offset=8))
    assert music.repetition(1)(upbeat) == 2 / 4


def test_repetition_compares_bars_of_equal_length_only():
    roll = roll_of(
        (0, 16, 60), (16, 32, 60), (32, 44, 62), (44, 56, 62), (56, 80, 62), frames=80, meter=CHANGES
    )
    assert music.repetition(1)(roll) == 1
    assert music.repetition(2)(roll) == 1
    lower = roll_of(
        (0, 16, 60), (16, 32, 60), (32, 44, 62), (44, 56, 64), (56, 80, 62), frames=80, meter=CHANGES
    )
    assert music.repetition(1)(lower) == (16 + 12) / (16 + 12 + 24)
    assert music.repetition(2)(lower) == 12 / 24  # bars 5 and 6 compared with 3 and 4


@given(st.integers(0, 2**16), st.integers(16, 96))
def test_bars_of_common_time_have_sixteen_frames(seed, frames):
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
        now, earlier = classes[16 * lag :], classes[: -16 * lag]
        counted = (now | earlier).any(1)
        expected = 1 - (now != earlier).any(1)[counted].mean() if counted.any() else None
        assert music.repetition(lag)(roll) == pytest.approx(expected)


@given(
    st.integers(0, 2**16), st.sampled_from([2, 3, 6]), st.sampled_from([WALTZ, CHANGES, Meter.of(offset=4)])
)
def test_measures_do_not_depend_on_the_grid(seed, times, meter):
    roll = replace(noise(seed), meter=meter)
    fine = refine_grid(roll, times)
    assert fine.meter.grid == 4 * times
    for name in ("empty bars", "silent frames", "repeats after 1 bar", "repeats after 2 bars", "key range"):
        assert MEASURES[name].compute(fine) == pytest.approx(MEASURES[name].compute(roll)), name
    lengths, coarse = music.note_lengths(fine), music.note_lengths(roll)
    assert (lengths[::times] == coarse).all()
    assert lengths.sum() == coarse.sum()


def test_bars_with_held_notes_are_not_empty():
    assert music.empty_bars(roll_of((0, 20, 60), frames=64)) == 2 / 4
    assert music.empty_bars(roll_of((0, 4, 60), frames=12)) is None


def test_empty_bars_uses_the_bars_of_the_meter():
    notes = [(0, 12, 60), (20, 24, 60), (40, 48, 60)]
    assert music.empty_bars(roll_of(*notes, frames=48, meter=WALTZ)) == 1 / 4
    assert music.empty_bars(roll_of(*notes, frames=48)) == 0
    # the upbeat and the last bar are not whole
    assert music.empty_bars(roll_of((2, 4, 60), (30, 31, 60), frames=31, meter=Meter.of(3, 4, offset=4))) == 1


def test_the_key_range_is_in_semitones():
    assert music.key_range(roll_of((0, 1, 40), (5, 6, 71), frames=8)) == 31


def test_undefined_measures_of_silence():
    undefined = {"scale consistency", "groove consistency", "key range"} | {
        f"repeats after {n}" for n in ("1 bar", "2 bars", "4 bars")
    }
    for name, measure in MEASURES.items():
        result = measure.compute(SILENT)
        assert (result is None) == (name in undefined), name
    assert music.silence(SILENT) == music.empty_bars(SILENT) == 1


@given(st.integers(0, 2**16), st.integers(-12, 12))
def test_measures_do_not_depend_on_the_key(seed, semitones):
    roll = replace(noise(seed, low=20, high=60), meter=CHANGES)
    for name, measure in MEASURES.items():
        np.testing.assert_allclose(
            measure.compute(roll), measure.compute(transpose(roll, semitones)), err_msg=name
        )


@given(st.integers(0, 2**16))
def test_shares_are_fractions_and_histograms_are_not_empty(seed):
    roll = replace(noise(seed), meter=CHANGES)
    for name, measure in MEASURES.items():
        result = measure.compute(roll)
        if isinstance(measure, Histogram):
            assert (result >= 0).all(), name
            assert result.sum() > 0, name
        elif measure.unit == "share":
            assert 0 <= result <= 1, name


@given(st.integers(0, 2**16))
def test_measures_without_needs_onsets_do_not_use_onsets(seed):
    roll = noise(seed)
    for measure in MEASURES.values():
        if not measure.needs_onsets:
            np.testing.assert_array_equal(measure.compute(roll), measure.compute(replace(roll, onset=None)))
