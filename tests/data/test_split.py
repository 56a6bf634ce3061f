"""The split depends on the notes only, and every corpus has a training split."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from zoo.data.split import pattern, split_of
from zoo.music.roll import Roll


@pytest.fixture
def tune():
    rng = np.random.default_rng(3)
    onset = np.zeros((64, 88), np.bool_)
    onset[:, 30:50] = rng.random((64, 20)) < 0.1
    onset[0, 30] = onset[-1, 49] = True
    velocity = np.where(onset, 80, 0).astype(np.uint8)
    return Roll(onset, onset | np.roll(onset, 1, axis=0), velocity)


def moved(roll, semitones):
    return replace(roll, onset=np.roll(roll.onset, semitones, axis=1))


def late(roll, frames):
    return replace(roll, onset=np.pad(roll.onset, ((frames, frames), (0, 0))))


def test_copies_share_a_pattern_in_any_key_at_any_velocity_and_with_silence_around(tune):
    copies = [moved(tune, 5), moved(tune, -30), moved(tune, 38), late(tune, 7)]
    copies.append(replace(tune, velocity=tune.velocity // 2, tempo=90.0))
    assert {pattern(copy) for copy in copies} == {pattern(tune)}


def test_different_music_has_a_different_pattern(tune):
    inverted = replace(tune, onset=tune.onset[:, ::-1].copy())
    later = tune.onset.copy()
    later[1:], later[0] = tune.onset[:-1], False
    later[0, 30] = True
    wrong_note = tune.onset.copy()
    wrong_note[10, 40] ^= True
    changed = [inverted, replace(tune, onset=later), replace(tune, onset=wrong_note)]
    assert len({pattern(tune), *(pattern(variant) for variant in changed)}) == 4


def test_without_onsets_the_sounding_keys_count(tune):
    bare = replace(tune, onset=None, velocity=None)
    assert pattern(bare) == pattern(replace(bare, sounding=np.roll(bare.sounding, 3, axis=1)))
    assert pattern(bare) != pattern(tune)


def hashes(count):
    return [hashlib.sha256(str(i).encode()).hexdigest() for i in range(count)]


def test_about_80_percent_are_for_training():
    splits = split_of(hashes(5000))
    shares = [splits.count(name) / 5000 for name in ("train", "valid", "test")]
    assert np.allclose(shares, [0.8, 0.1, 0.1], atol=0.02)


def test_new_pieces_do_not_change_the_split_of_others():
    assert split_of(hashes(900))[:300] == split_of(hashes(300))


@pytest.mark.parametrize("seed", range(40))
def test_small_corpora_have_a_training_split_and_fill_others_if_possible(seed):
    few = [hashlib.sha256(f"{seed} {i}".encode()).hexdigest() for i in range(6)]
    assert split_of(few[:1]) == ["train"]
    assert split_of([few[0]] * 5) == ["train"] * 5
    assert "train" in split_of(few[:2])
    assert len(set(split_of(few[:2]))) == 2
    for count in range(3, 7):
        assert set(split_of(few[:count])) == {"train", "valid", "test"}


def test_no_pieces_have_no_splits():
    assert split_of([]) == []
