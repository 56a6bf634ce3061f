"""Copied stretches: their position and length in any key, compared with an exhaustive search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.measure.copying import copied_stretches, longest_copies
from zoo.music.roll import Roll


def random_roll(seed, frames=60, keys=8, density=0.2):
    """Random music with few keys, in which short stretches recur by chance."""
    rng = np.random.default_rng(seed)
    onset = np.zeros((frames, 88), np.bool_)
    onset[:, 40 : 40 + keys] = rng.random((frames, keys)) < density
    held = np.zeros_like(onset)
    held[1:] = onset[:-1] & (rng.random((frames - 1, 88)) < 0.5)
    return Roll(onset, onset | held)


def part(roll, start, end):
    return Roll(roll.onset[start:end], roll.sounding[start:end])


def concatenate(*rolls):
    return Roll(*(np.concatenate([getattr(roll, name) for roll in rolls]) for name in ("onset", "sounding")))


def transpose(roll, semitones):
    return Roll(np.roll(roll.onset, semitones, axis=1), np.roll(roll.sounding, semitones, axis=1))


def silence(frames):
    return Roll(np.zeros((frames, 88), np.bool_), np.zeros((frames, 88), np.bool_))


def longest_copy(passage, *training, with_onsets=True):
    return longest_copies([passage], training, with_onsets=with_onsets).tolist()[0]


def longest_copy_by_exhaustive_search(passage, *training):
    best = 0
    for start in np.flatnonzero(passage.sounding.any(1)):
        for piece in training:
            for position in np.flatnonzero(piece.sounding.any(1)):
                step = int(piece.sounding[position].argmax() - passage.sounding[start].argmax())
                copy, original = transpose(part(passage, start, None), step), part(piece, position, None)
                frames = min(copy.frames, original.frames)
                same = (copy.sounding[:frames] == original.sounding[:frames]).all(1)
                same &= (copy.onset[:frames] == original.onset[:frames]).all(1)
                length = frames if same.all() else int(same.argmin())
                best = max(best, int(copy.sounding[:length].any(1).sum()))
    return best


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_longest_copy_is_that_of_an_exhaustive_search(seed):
    passage, *training = (random_roll(seed + number, frames=14, keys=3, density=0.3) for number in range(3))
    assert longest_copy(passage, *training) == longest_copy_by_exhaustive_search(passage, *training)


@pytest.mark.parametrize("semitones", [0, -7, 5])
@pytest.mark.parametrize("length", [1, 2, 31, 32, 33])
def test_a_copy_is_found_at_its_full_length_in_any_key(semitones, length):
    dense = {"keys": 24, "density": 0.4}
    source, background = random_roll(1, **dense), random_roll(2, **dense)
    passage = concatenate(
        part(background, 0, 10), transpose(part(source, 20, 20 + length), semitones), part(background, 10, 20)
    )
    assert longest_copy(passage, random_roll(3, **dense), source) == length


def test_a_copy_does_not_extend_into_the_next_piece():
    dense = {"keys": 24, "density": 0.4}
    first, second = random_roll(1, **dense), random_roll(2, **dense)
    across = concatenate(part(first, 50, 60), part(second, 0, 7))
    assert longest_copy(across, first, second) == 10
    assert longest_copy(across, concatenate(first, second)) == 17


def test_silence_is_not_a_copy_but_may_be_inside_one():
    source = random_roll(1, keys=24, density=0.4)
    assert longest_copy(silence(50), silence(80), source) == 0
    rests = concatenate(part(source, 0, 5), silence(20), part(source, 5, 9))
    assert longest_copy(rests, concatenate(source, rests)) == 9
    assert longest_copy(concatenate(part(source, 0, 5), silence(20)), rests) == 5
    assert longest_copy(concatenate(part(source, 0, 5), silence(19), part(source, 5, 9)), rests) == 5


def test_held_and_repeated_notes_differ_only_with_onsets():
    key = np.zeros((6, 88), np.bool_)
    key[:, 40] = True
    first = key & (np.arange(6) == 0)[:, None]
    held, repeated = Roll(first, key), Roll(key, key)
    assert longest_copy(held, repeated) == 1
    assert longest_copy(held, repeated, with_onsets=False) == 6
    assert longest_copy(Roll(None, key), Roll(None, key), with_onsets=False) == 6


def test_each_passage_has_its_own_longest_copy():
    source = random_roll(1, keys=24, density=0.4)
    parts = [part(source, 0, 30), part(source, 5, 12), silence(16)]
    assert longest_copies(parts, [source], with_onsets=True).tolist() == [30, 7, 0]
    assert longest_copies(parts, [], with_onsets=True).tolist() == [0, 0, 0]
    assert longest_copies([], [source], with_onsets=True).tolist() == []


def test_copied_stretches_are_located():
    piece, fresh = random_roll(1), random_roll(2, keys=12)
    copy = transpose(part(piece, 10, 34), 5)
    passage = concatenate(part(fresh, 0, 20), copy, part(fresh, 20, 40), part(piece, 40, 60))
    first, second = copied_stretches([passage, fresh], [piece], with_onsets=True, at_least=12)
    assert second == []
    assert [end - begin for begin, end in first] == pytest.approx([24, 20], abs=3)
    assert first[0][0] == pytest.approx(20, abs=2)
    assert first[1][1] == passage.frames
    assert copied_stretches([passage], [piece], with_onsets=True, at_least=30) == [[]]
    assert copied_stretches([], [piece], with_onsets=True, at_least=1) == []


@given(st.integers(0, 10**6), st.integers(1, 8))
@settings(max_examples=25, deadline=None)
def test_some_stretch_is_at_least_as_long_as_the_longest_copy(seed, at_least):
    passage, piece = random_roll(seed, 30, keys=3), random_roll(seed + 1, 30, keys=3)
    longest = longest_copy(passage, piece)
    (stretches,) = copied_stretches([passage], [piece], with_onsets=True, at_least=at_least)
    sounding = [int(passage.sounding[begin:end].any(1).sum()) for begin, end in stretches]
    assert max(sounding, default=0) >= longest if longest >= at_least else stretches == []
