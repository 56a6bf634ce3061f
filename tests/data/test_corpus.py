"""A corpus returns the music it was created from, whole and in fragments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

LENGTHS = (1, 37, 255, 256, 257, 300, 641)
PAST, FRAMES = 128, 256


@pytest.fixture
def rolls(noise):
    return [noise(seed, frames) for seed, frames in enumerate(LENGTHS)]


@pytest.fixture
def corpus(corpus_of, rolls):
    return corpus_of(rolls)


def equal(a, b):
    return a is None and b is None if a is None or b is None else np.array_equal(a, b)


def surrounded(plane, past=PAST, frames=FRAMES):
    """A plane with silence before and after it."""
    return np.pad(plane, ((past + 1, frames), (0, 0)))


def test_rolls_are_returned_unchanged(corpus, rolls):
    for i, roll in enumerate(rolls):
        stored = corpus.roll(i)
        assert equal(stored.onset, roll.onset)
        assert equal(stored.sounding, roll.sounding)
        assert equal(stored.velocity, roll.velocity)
        assert stored.tempo == roll.tempo
    assert corpus.frames == sum(LENGTHS)
    assert [piece.frames for piece in corpus.pieces] == list(LENGTHS)


def test_fragments_agree_with_rolls_at_every_position(corpus, rolls):
    rng = np.random.default_rng(1)
    piece = rng.integers(len(rolls), size=200)
    start = np.array([rng.integers(LENGTHS[i]) for i in piece])
    start[:7], piece[:7] = 0, np.arange(7)
    fragments = corpus.fragments(np.stack([piece, start], axis=1), FRAMES, PAST)
    assert (fragments.frames, fragments.past) == (FRAMES, PAST)
    first = [int(clock) for clock in fragments.clock.place[:, 1]]
    assert first == [(s + i % 3) % 16 for i, s in zip(piece, start, strict=True)]
    before = [int(clock) for clock in fragments.clock.place[:, 0]]
    assert before == [(s + i % 3 - 1) % 16 for i, s in zip(piece, start, strict=True)]
    for row, (i, s) in enumerate(zip(piece, start, strict=True)):
        for name in ("onset", "sounding", "velocity"):
            expected = surrounded(getattr(rolls[i], name))[s : s + PAST + 1 + FRAMES]
            assert np.array_equal(getattr(fragments, name)[row], expected), (name, i, s)
        assert fragments.mask[row].tolist() == [s + t < LENGTHS[i] for t in range(FRAMES)]


@pytest.mark.parametrize(("frames", "past"), [(1, 0), (5, 0), (3, 7), (700, 128)])
def test_fragments_of_any_length(corpus, rolls, frames, past):
    places = np.array([[6, 0], [6, 640], [0, 0], [3, 100]])
    fragments = corpus.fragments(places, frames, past)
    for row, (i, s) in enumerate(places):
        expected = surrounded(rolls[i].sounding, past, frames)[s : s + past + 1 + frames]
        assert np.array_equal(fragments.sounding[row], expected)


def test_every_frame_is_a_target(corpus):
    places = corpus.starts(256, 32)
    assert places.dtype == np.int64
    assert set(places[:, 1] % 32) == {0}
    for i, frames in enumerate(LENGTHS):
        starts = places[places[:, 0] == i, 1]
        covered = {s + t for s in starts for t in range(256)}
        assert covered >= set(range(frames))
        assert starts.max() < frames
        assert len(starts) == 1 or starts.max() - 32 + 256 < frames, "the last fragment is needed"
        assert frames > 256 or starts.tolist() == [0]


def test_a_stride_with_gaps_is_an_error(corpus):
    with pytest.raises(ValueError, match="gaps"):
        corpus.starts(frames=16, stride=17)


def test_whole_pieces_are_padded_to_the_longest(corpus, rolls):
    chosen = [6, 0, 3]
    whole = corpus.whole(chosen)
    assert whole.sounding.shape == (3, 642, 88)
    assert whole.past == 0
    assert not whole.sounding[:, 0].any()
    assert whole.clock.shape == (3, 642)
    assert whole.clock.place[:, :3].tolist() == [[15, 0, 1]] * 3
    assert corpus.whole([1]).clock.place[0, :3].tolist() == [0, 1, 2]
    assert corpus.whole([1]).clock.bar[0, :2].tolist() == [-1, -1]
    assert whole.mask.sum(1).tolist() == [LENGTHS[i] for i in chosen]
    for row, i in enumerate(chosen):
        assert np.array_equal(whole.velocity[row][1:][whole.mask[row]], rolls[i].velocity)


def test_every_piece_is_in_a_split(corpus, rolls):
    parts = [corpus.split(name) for name in ("train", "valid", "test")]
    assert all(part.pieces for part in parts)
    assert sum(part.frames for part in parts) == corpus.frames
    assert len({corpus.digest, *(part.digest for part in parts)}) == 4
    for part in parts:
        for i, piece in enumerate(part.pieces):
            original = rolls[int(piece.title.split()[1])]
            assert equal(part.roll(i).velocity, original.velocity)
            assert np.array_equal(part.whole([i]).onset[0, 1:], original.onset)


def test_an_empty_split_is_a_corpus_without_pieces(corpus_of, noise):
    nothing = corpus_of([noise(0, 10)]).split("test")
    assert (nothing.pieces, nothing.frames, nothing.starts().shape) == ((), 0, (0, 2))
    assert nothing.whole([]).mask.shape == (0, 0)


def test_music_without_onsets_or_velocities(corpus_of, rolls):
    bare = [replace(roll, onset=None, velocity=None) for roll in rolls]
    fragments = corpus_of(bare, planes=frozenset({"sounding"})).fragments([[2, 3]])
    assert fragments.onset is None
    assert fragments.velocity is None
    assert fragments.sounding.any()
    shifted = fragments.transpose(torch.tensor([1])).to("cpu")
    assert shifted.onset is None
    assert shifted.velocity is None


def test_the_digest_depends_on_the_music_and_the_split(corpus_of, rolls, cache):
    digest = corpus_of(rolls).digest
    louder = rolls[0].velocity.copy()
    louder[rolls[0].onset] ^= 64
    assert corpus_of(rolls, name="a copy").digest == digest
    assert corpus_of([replace(rolls[0], velocity=louder), *rolls[1:]], name="b").digest != digest
    assert corpus_of(rolls[1:], name="c").digest != digest


def test_each_fragment_is_transposed_by_its_own_interval(corpus):
    fragments = corpus.fragments([[5, 0], [6, 200], [4, 100], [6, 500], [6, 1]], frames=32, past=8)
    shifts = [0, 5, -6, 88, -87]
    moved = fragments.transpose(torch.tensor(shifts))
    for name in ("onset", "sounding", "velocity"):
        before, after = getattr(fragments, name), getattr(moved, name)
        assert after.dtype == before.dtype
        expected = torch.zeros_like(before)
        for row, shift in enumerate(shifts):
            for key in range(88):
                if 0 <= key + shift < 88:
                    expected[row, :, key + shift] = before[row, :, key]
        assert torch.equal(after, expected), name
    assert torch.equal(moved.mask, fragments.mask)
    assert moved.clock is fragments.clock
