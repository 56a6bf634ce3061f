"""The longest copy: found where it was put, at its length, in any key; against a plain search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.measure.copying import copied_stretches, longest_copies
from zoo.music.roll import Roll


def random_roll(seed, frames=60, keys=8, density=0.2):
    """Music of few keys in the middle, in which stretches recur by chance."""
    rng = np.random.default_rng(seed)
    onset = np.zeros((frames, 88), np.bool_)
    onset[:, 40 : 40 + keys] = rng.random((frames, keys)) < density
    held = np.zeros_like(onset)
    held[1:] = onset[:-1] & (rng.random((frames - 1, 88)) < 0.5)
    return Roll(onset, onset | held)


def part(roll, start, end):
    return Roll(roll.onset[start:end], roll.sounding[start:end])


def joined(*rolls):
    return Roll(*(np.concatenate([getattr(roll, name) for roll in rolls]) for name in ("onset", "sounding")))


def in_key(roll, semitones):
    return Roll(np.roll(roll.onset, semitones, axis=1), np.roll(roll.sounding, semitones, axis=1))


def silence(frames):
    return Roll(np.zeros((frames, 88), np.bool_), np.zeros((frames, 88), np.bool_))


def copied(passage, *training, with_onsets=True):
    return longest_copies([passage], training, with_onsets=with_onsets).tolist()[0]


def plainly_copied(passage, *training):
    """The same by trying every start, length, place and key."""
    best = 0
    for start in np.flatnonzero(passage.sounding.any(1)):
        for piece in training:
            for place in np.flatnonzero(piece.sounding.any(1)):
                step = int(piece.sounding[place].argmax() - passage.sounding[start].argmax())
                here, there = in_key(part(passage, start, None), step), part(piece, place, None)
                frames = min(here.frames, there.frames)
                same = (here.sounding[:frames] == there.sounding[:frames]).all(1)
                same &= (here.onset[:frames] == there.onset[:frames]).all(1)
                length = frames if same.all() else int(same.argmin())
                best = max(best, int(here.sounding[:length].any(1).sum()))
    return best


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_it_finds_what_a_plain_search_finds(seed):
    passage, *training = (random_roll(seed + number, frames=14, keys=3, density=0.3) for number in range(3))
    assert copied(passage, *training) == plainly_copied(passage, *training)


@pytest.mark.parametrize("semitones", [0, -7, 5])
@pytest.mark.parametrize("length", [1, 2, 31, 32, 33])
def test_a_copied_stretch_has_its_length_in_any_key(semitones, length):
    dense = {"keys": 24, "density": 0.4}
    source, other = random_roll(1, **dense), random_roll(2, **dense)
    passage = joined(
        part(other, 0, 10), in_key(part(source, 20, 20 + length), semitones), part(other, 10, 20)
    )
    assert copied(passage, random_roll(3, **dense), source) == length


def test_a_stretch_does_not_run_on_into_the_next_piece():
    dense = {"keys": 24, "density": 0.4}
    first, second = random_roll(1, **dense), random_roll(2, **dense)
    across = joined(part(first, 50, 60), part(second, 0, 7))
    assert copied(across, first, second) == 10
    assert copied(across, joined(first, second)) == 17


def test_silence_is_no_copy_but_may_stand_within_one():
    source = random_roll(1, keys=24, density=0.4)
    assert copied(silence(50), silence(80), source) == 0
    rests = joined(part(source, 0, 5), silence(20), part(source, 5, 9))
    assert copied(rests, joined(source, rests)) == 9
    assert copied(joined(part(source, 0, 5), silence(20)), rests) == 5
    assert copied(joined(part(source, 0, 5), silence(19), part(source, 5, 9)), rests) == 5


def test_a_held_note_is_no_copy_of_a_repeated_one_unless_strikes_are_unknown():
    key = np.zeros((6, 88), np.bool_)
    key[:, 40] = True
    first = key & (np.arange(6) == 0)[:, None]
    held, repeated = Roll(first, key), Roll(key, key)
    assert copied(held, repeated) == 1
    assert copied(held, repeated, with_onsets=False) == 6
    assert copied(Roll(None, key), Roll(None, key), with_onsets=False) == 6


def test_every_passage_has_its_own_and_none_needs_training_pieces():
    source = random_roll(1, keys=24, density=0.4)
    parts = [part(source, 0, 30), part(source, 5, 12), silence(16)]
    assert longest_copies(parts, [source], with_onsets=True).tolist() == [30, 7, 0]
    assert longest_copies(parts, [], with_onsets=True).tolist() == [0, 0, 0]
    assert longest_copies([], [source], with_onsets=True).tolist() == []


def test_copied_stretches_lie_where_they_were_put():
    piece, fresh = random_roll(1), random_roll(2, keys=12)
    copy = in_key(part(piece, 10, 34), 5)
    passage = joined(part(fresh, 0, 20), copy, part(fresh, 20, 40), part(piece, 40, 60))
    first, second = copied_stretches([passage, fresh], [piece], with_onsets=True, at_least=12)
    assert second == []
    assert [end - begin for begin, end in first] == pytest.approx([24, 20], abs=3)
    assert first[0][0] == pytest.approx(20, abs=2)
    assert first[1][1] == passage.frames
    assert copied_stretches([passage], [piece], with_onsets=True, at_least=30) == [[]]
    assert copied_stretches([], [piece], with_onsets=True, at_least=1) == []


@given(st.integers(0, 10**6), st.integers(1, 8))
@settings(max_examples=25, deadline=None)
def test_the_longest_stretch_is_at_least_the_longest_copy(seed, at_least):
    passage, piece = random_roll(seed, 30, keys=3), random_roll(seed + 1, 30, keys=3)
    longest = copied(passage, piece)
    (stretches,) = copied_stretches([passage], [piece], with_onsets=True, at_least=at_least)
    heard = [int(passage.sounding[begin:end].any(1).sum()) for begin, end in stretches]
    assert max(heard, default=0) >= longest if longest >= at_least else stretches == []
