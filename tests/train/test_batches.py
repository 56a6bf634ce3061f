"""Training batches: each fragment once per epoch, in an order that depends only on seed and step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from zoo.data import Corpus
from zoo.train.batches import TrainingBatches
from zoo.train.score import FEWEST, choose_pieces

Make = Callable[..., Any]


def test_an_epoch_contains_nearly_all_fragments_once(corpus: Corpus, fast: Make) -> None:
    train = corpus.split("train")
    batches = TrainingBatches(train, fast(), seed=0)
    all_places = {tuple(place) for place in train.starts(16, 8).tolist()}
    for epoch in range(3):
        steps = range(epoch * batches.epoch, (epoch + 1) * batches.epoch)
        seen = [tuple(place) for step in steps for place in batches.places(step).tolist()]
        assert len(seen) == len(set(seen)) == 4 * batches.epoch
        assert set(seen) <= all_places
        assert len(all_places) - len(seen) < 4


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_fragments_that_begin_a_piece_are_repeated_to_reach_their_share(
    corpus: Corpus, fast: Make, share: float
) -> None:
    train = corpus.split("train")
    plain, batches = (TrainingBatches(train, fast(openings=openings), seed=0) for openings in (0.0, share))
    places, counts = np.unique(
        np.concatenate([batches.places(step) for step in range(50 * batches.epoch)]),
        axis=0,
        return_counts=True,
    )
    begins = places[:, 1] == 0
    assert len(places) == len(train.starts(16, 8))  # all fragments still occur
    least = max(share, len(train.pieces) / len(places))
    assert least - 0.05 < counts[begins].sum() / counts.sum() < least + 0.1
    assert (batches.epoch == plain.epoch) == (share < len(train.pieces) / len(places))


def test_the_order_depends_only_on_seed_and_step(corpus: Corpus, fast: Make) -> None:
    train = corpus.split("train")
    first, same_seed, other_seed = (TrainingBatches(train, fast(), seed) for seed in (0, 0, 1))
    for step in (9, 2, 5):  # in any order, since there is no state
        assert (first.places(step) == same_seed.places(step)).all()
        assert (first.shifts(step) == same_seed.shifts(step)).all()
    assert any((first.places(step) != other_seed.places(step)).any() for step in range(3))
    assert (first.places(0) != first.places(first.epoch)).any()


def test_each_fragment_has_its_own_transposition(corpus: Corpus, fast: Make) -> None:
    batches = TrainingBatches(corpus.split("train"), fast(), seed=0)
    shifts = torch.cat([batches.shifts(step) for step in range(200)])
    assert set(shifts.tolist()) == set(range(-6, 6))
    plain = TrainingBatches(corpus.split("train"), fast(transpose=False), seed=0)
    assert not plain.shifts(0).any()
    batch, original, shift = batches.at(0)[0], plain.at(0)[0], batches.shifts(0)
    for row in range(4):
        transposed = torch.roll(original.sounding[row], int(shift[row]), -1)
        assert torch.equal(batch.sounding[row], transposed)


def test_a_batch_larger_than_the_corpus_contains_all_of_it(tunes: Make, fast: Make) -> None:
    corpus = tunes(train=1, valid=0)
    batches = TrainingBatches(corpus.split("train"), fast(batch=64), seed=0)
    assert batches.epoch == 1
    assert len(batches.places(7)) == len(corpus.split("train").starts(16, 8))


def test_validation_pieces_are_fixed_and_have_at_least_the_given_frames(corpus: Corpus) -> None:
    lengths = np.array([piece.frames for piece in corpus.pieces])
    frames = int(lengths.sum()) - 20
    chosen = choose_pieces(corpus, frames)
    assert chosen == choose_pieces(corpus, frames)
    assert lengths[chosen[:-1]].sum() < frames <= lengths[chosen].sum()
    assert sorted(choose_pieces(corpus, 10**9)) == list(range(len(corpus.pieces)))


def test_there_is_a_minimum_number_of_validation_pieces(tunes: Make) -> None:
    assert len(choose_pieces(tunes(train=12, valid=0), 1)) == FEWEST
    few = tunes(train=2, valid=0)
    assert len(choose_pieces(few, 1)) == len(few.pieces) < FEWEST
