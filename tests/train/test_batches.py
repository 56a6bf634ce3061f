"""What is heard when: everything once an epoch, in an order that follows from seed and step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from zoo.data import Corpus
from zoo.train.batches import TrainingBatches
from zoo.train.score import FEWEST, chosen_pieces

Make = Callable[..., Any]


def test_an_epoch_hears_no_fragment_twice_and_nearly_all(corpus: Corpus, fast: Make) -> None:
    train = corpus.split("train")
    batches = TrainingBatches(train, fast(), seed=0)
    everything = {tuple(place) for place in train.starts(16, 8).tolist()}
    for epoch in range(3):
        steps = range(epoch * batches.epoch, (epoch + 1) * batches.epoch)
        heard = [tuple(place) for step in steps for place in batches.places(step).tolist()]
        assert len(heard) == len(set(heard)) == 4 * batches.epoch
        assert set(heard) <= everything
        assert len(everything) - len(heard) < 4


def test_the_order_follows_from_seed_and_step(corpus: Corpus, fast: Make) -> None:
    train = corpus.split("train")
    one, again, other = (TrainingBatches(train, fast(), seed) for seed in (0, 0, 1))
    for step in (9, 2, 5):  # in any order: nothing but the step is remembered
        assert (one.places(step) == again.places(step)).all()
        assert (one.shifts(step) == again.shifts(step)).all()
    assert any((one.places(step) != other.places(step)).any() for step in range(3))
    assert (one.places(0) != one.places(one.epoch)).any()


def test_each_fragment_is_shifted_by_its_own_interval(corpus: Corpus, fast: Make) -> None:
    batches = TrainingBatches(corpus.split("train"), fast(), seed=0)
    shifts = torch.cat([batches.shifts(step) for step in range(200)])
    assert set(shifts.tolist()) == set(range(-6, 6))
    plain = TrainingBatches(corpus.split("train"), fast(transpose=False), seed=0)
    assert not plain.shifts(0).any()
    batch, straight, by = batches.at(0)[0], plain.at(0)[0], batches.shifts(0)
    for row in range(4):
        moved = torch.roll(straight.sounding[row], int(by[row]), -1)
        assert torch.equal(batch.sounding[row], moved)


def test_a_batch_larger_than_the_corpus_is_the_corpus(tunes: Make, fast: Make) -> None:
    corpus = tunes(train=1, valid=0)
    batches = TrainingBatches(corpus.split("train"), fast(batch=64), seed=0)
    assert batches.epoch == 1
    assert len(batches.places(7)) == len(corpus.split("train").starts(16, 8))


def test_validation_pieces_are_always_the_same_and_about_as_many_as_asked(corpus: Corpus) -> None:
    lengths = np.array([piece.frames for piece in corpus.pieces])
    asked = int(lengths.sum()) - 20
    chosen = chosen_pieces(corpus, asked)
    assert chosen == chosen_pieces(corpus, asked)
    assert lengths[chosen[:-1]].sum() < asked <= lengths[chosen].sum()
    assert sorted(chosen_pieces(corpus, 10**9)) == list(range(len(corpus.pieces)))


def test_no_few_pieces_judge_alone_however_long_they_are(tunes: Make) -> None:
    assert len(chosen_pieces(tunes(train=12, valid=0), 1)) == FEWEST
    few = tunes(train=2, valid=0)
    assert len(chosen_pieces(few, 1)) == len(few.pieces) < FEWEST
