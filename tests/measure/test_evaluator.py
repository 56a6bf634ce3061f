from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from zoo.data.batches import length_batches
from zoo.errors import DataError, ZooError
from zoo.measure.evaluator import evaluate
from zoo.model.build import build
from zoo.music.roll import Roll
from zoo.parts.interfaces import LogProb
from zoo.registry import open_registry, parse_recipe


def held(frames, keys):
    """The first keys struck once and held to the end."""
    onset = np.zeros((frames, 88), bool)
    onset[0, :keys] = True
    sounding = np.zeros((frames, 88), bool)
    sounding[:, :keys] = True
    return Roll(onset, sounding, np.where(onset, 64, 0).astype(np.uint8))


class Toy(nn.Module):
    """A model of which every number can be done in the head; whatever it says of padding must not count."""

    def __init__(self, *, plane="sounding", kind="exact", variance=None, broken=False, noisy=False):
        super().__init__()
        self.encoder = SimpleNamespace(plane=plane)
        self.check_grid = lambda grid, where: None
        self.device = torch.device("cpu")
        self.kind, self.variance, self.broken, self.noisy = kind, variance, broken, noisy

    def log_probs(self, fragments, generator):
        sounding = fragments.sounding[:, fragments.past + 1 :].sum(-1)
        padding = torch.where(fragments.mask, 0.0, float("nan"))
        codes = -sounding.float() + padding
        if self.noisy:
            codes -= torch.rand(codes.shape, generator=generator)
        if self.broken:
            codes[sounding == 7] = -torch.inf
        variance = None if self.variance is None else torch.full_like(codes, self.variance) + padding
        return {
            "codes": LogProb(codes, self.kind, variance, {"escaped": sounding > 2}),
            "keys": LogProb(torch.full_like(codes, -0.5) + padding),
            "velocity": LogProb(-2.0 * fragments.onset[:, fragments.past + 1 :].sum(-1) + padding),
        }


def test_nats_are_those_worked_out_by_hand(corpus_of):
    corpus = corpus_of([held(10, 1), held(30, 4)])
    found = evaluate(Toy(), corpus)
    assert found.figure("codes").value == pytest.approx((10 * 1 + 30 * 4) / 40)
    assert found.figure("keys").value == pytest.approx(0.5)
    assert found.score().value == pytest.approx(3.25 + 0.5)
    assert found.figure("velocity").value == pytest.approx(2.0)
    assert found.figure("velocity").count == 5
    assert list(found.terms["codes"].nats) == [10, 120]
    assert found.titles == ("piece 0", "piece 1")


def test_the_share_of_escaped_frames_is_told(corpus_of):
    found = evaluate(Toy(), corpus_of([held(10, 1), held(30, 4)]))
    assert found.share("escaped").value == pytest.approx(30 / 40)
    assert found.share("doubtful") is None


def test_kinds_and_standard_errors_reach_the_sum(corpus_of):
    found = evaluate(Toy(kind="estimate", variance=0.09), corpus_of([held(10, 1), held(15, 4)]))
    assert found.score().kind == "estimate"
    assert found.score().error == pytest.approx(0.3 / 5)
    assert found.figure("keys").kind == "exact"
    assert found.figure("keys").error is None


def exact_model():
    return build(parse_recipe("encoder=onset attention=none sampler=independent", open_registry()), seed=3)


def test_neither_batches_nor_their_padding_move_a_number(corpus_of, noise):
    corpus = corpus_of([noise(seed, frames) for seed, frames in enumerate((5, 40, 17, 64, 33))])
    model = exact_model()
    together, apart = (evaluate(model, corpus, batch_frames=frames) for frames in (10_000, 1))
    for name in ("codes", "keys", "residual"):
        assert together.terms[name].nats == pytest.approx(apart.terms[name].nats, rel=1e-5)


def test_the_order_of_pieces_does_not_move_a_number(corpus_of, noise):
    rolls = [noise(seed, frames) for seed, frames in enumerate((5, 40, 17))]
    model = exact_model()
    forward, backward = (
        evaluate(model, corpus_of(rolls)),
        evaluate(model, corpus_of(rolls[::-1], name="back")),
    )
    assert forward.score().value == pytest.approx(backward.score().value, rel=1e-6)
    assert forward.terms["keys"].nats == pytest.approx(backward.terms["keys"].nats[::-1], rel=1e-5)


def test_chance_comes_from_the_seed_alone(corpus_of):
    corpus = corpus_of([held(10, 1), held(30, 4)])
    first, again, other = (
        list(evaluate(Toy(noisy=True), corpus, seed=seed).terms["codes"].nats) for seed in (4, 4, 5)
    )
    assert first == again
    assert first != other


def test_music_without_strikes_is_refused_by_a_model_of_strikes(corpus_of):
    corpus = corpus_of([held(10, 1)], planes=frozenset({"sounding"}))
    with pytest.raises(DataError, match="encoder=sounding"):
        evaluate(Toy(plane="onset"), corpus)


def test_no_piece_is_refused(corpus_of):
    corpus = corpus_of([held(10, 1)])
    other = next(name for name in ("train", "valid", "test") if name != corpus.pieces[0].split)
    with pytest.raises(DataError, match="no piece"):
        evaluate(Toy(), corpus.split(other))


def test_a_number_that_is_not_finite_names_its_piece(corpus_of):
    with pytest.raises(ZooError, match="piece 1: the nats of the codes are not finite in 1 of 2"):
        evaluate(Toy(broken=True), corpus_of([held(10, 1), held(12, 7)]))


def test_a_model_in_training_goes_on_training(corpus_of):
    model = Toy().train()
    evaluate(model, corpus_of([held(10, 1)]))
    assert model.training


def test_progress_ends_with_every_frame(corpus_of):
    told = []
    evaluate(
        Toy(),
        corpus_of([held(10, 1), held(30, 4)]),
        batch_frames=10,
        progress=lambda *frames: told.append(frames),
    )
    assert told == [(10, 40), (40, 40)]


def test_batches_hold_each_piece_once_and_no_more_than_they_may():
    lengths = [7, 300, 12, 12, 90, 8, 1]
    batches = list(length_batches(lengths, frames=40))
    assert sorted(index for batch in batches for index in batch) == list(range(7))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= 40
