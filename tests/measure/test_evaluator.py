from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from zoo.data.batches import length_batches
from zoo.errors import DataError, UsageError, ZooError
from zoo.measure.evaluator import evaluate
from zoo.model.build import build
from zoo.music.roll import Roll
from zoo.parts.interfaces import LogProb
from zoo.registry import open_registry, parse_recipe


def held_chord(frames, keys):
    """A chord of the lowest keys, held for the whole piece."""
    onset = np.zeros((frames, 88), bool)
    onset[0, :keys] = True
    sounding = np.zeros((frames, 88), bool)
    sounding[:, :keys] = True
    return Roll(onset, sounding, np.where(onset, 64, 0).astype(np.uint8))


class ToyModel(nn.Module):
    """A model whose scores are easy to compute by hand; it returns NaN for padding, which must be ignored."""

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


class Certain(ToyModel):
    """A model that gives every frame the same probabilities of codes and of keys."""

    def __init__(self, codes, keys):
        super().__init__()
        self.probabilities = {"codes": codes, "keys": keys}

    def log_probs(self, fragments, generator):
        return {
            name: LogProb(torch.full(fragments.mask.shape, probability).log())
            for name, probability in self.probabilities.items()
        }


def test_an_ensemble_averages_the_probabilities_of_a_frame(corpus_of):
    corpus = corpus_of([held_chord(10, 1), held_chord(30, 4)])
    models = [Certain(0.5, 0.5), Certain(0.1, 0.2), Certain(0.3, 0.1)]
    evaluation = evaluate(models[0], corpus, ensemble=models[1:])
    codes, frame = (0.5 + 0.1 + 0.3) / 3, (0.25 + 0.02 + 0.03) / 3
    assert evaluation.figure("codes").value == pytest.approx(-np.log(codes))
    assert evaluation.score().value == pytest.approx(-np.log(frame))
    assert evaluation.figure("keys").value == pytest.approx(-np.log(frame / codes))
    assert evaluation.score().kind == "exact"


def test_an_ensemble_needs_exact_scores(corpus_of):
    with pytest.raises(UsageError, match="needs models with exact scores"):
        evaluate(ToyModel(), corpus_of([held_chord(10, 1)]), ensemble=[ToyModel(kind="bound")])


def test_nats_equal_those_computed_by_hand(corpus_of):
    corpus = corpus_of([held_chord(10, 1), held_chord(30, 4)])
    evaluation = evaluate(ToyModel(), corpus)
    assert evaluation.figure("codes").value == pytest.approx((10 * 1 + 30 * 4) / 40)
    assert evaluation.figure("keys").value == pytest.approx(0.5)
    assert evaluation.score().value == pytest.approx(3.25 + 0.5)
    assert evaluation.figure("velocity").value == pytest.approx(2.0)
    assert evaluation.figure("velocity").count == 5
    assert list(evaluation.terms["codes"].nats) == [10, 120]
    assert evaluation.titles == ("piece 0", "piece 1")


def test_evaluation_reports_the_share_of_escaped_frames(corpus_of):
    evaluation = evaluate(ToyModel(), corpus_of([held_chord(10, 1), held_chord(30, 4)]))
    assert evaluation.share("escaped").value == pytest.approx(30 / 40)
    assert evaluation.share("unknown") is None


def test_the_score_has_the_kind_and_standard_error_of_its_terms(corpus_of):
    evaluation = evaluate(
        ToyModel(kind="estimate", variance=0.09), corpus_of([held_chord(10, 1), held_chord(15, 4)])
    )
    assert evaluation.score().kind == "estimate"
    assert evaluation.score().error == pytest.approx(0.3 / 5)
    assert evaluation.figure("keys").kind == "exact"
    assert evaluation.figure("keys").error is None


def exact_model():
    return build(parse_recipe("encoder=onset attention=none sampler=independent", open_registry()), seed=3)


def test_scores_do_not_depend_on_batches_and_padding(corpus_of, noise):
    corpus = corpus_of([noise(seed, frames) for seed, frames in enumerate((5, 40, 17, 64, 33))])
    model = exact_model()
    batched, single = (evaluate(model, corpus, batch_frames=frames) for frames in (10_000, 1))
    for name in ("codes", "keys", "residual"):
        assert batched.terms[name].nats == pytest.approx(single.terms[name].nats, rel=1e-5)


def test_scores_do_not_depend_on_the_order_of_pieces(corpus_of, noise):
    rolls = [noise(seed, frames) for seed, frames in enumerate((5, 40, 17))]
    model = exact_model()
    forward = evaluate(model, corpus_of(rolls))
    backward = evaluate(model, corpus_of(rolls[::-1], name="backward"))
    assert forward.score().value == pytest.approx(backward.score().value, rel=1e-6)
    assert forward.terms["keys"].nats == pytest.approx(backward.terms["keys"].nats[::-1], rel=1e-5)


def test_random_draws_depend_only_on_the_seed(corpus_of):
    corpus = corpus_of([held_chord(10, 1), held_chord(30, 4)])
    first, same_seed, other_seed = (
        list(evaluate(ToyModel(noisy=True), corpus, seed=seed).terms["codes"].nats) for seed in (4, 4, 5)
    )
    assert first == same_seed
    assert first != other_seed


def test_a_model_of_onsets_rejects_music_without_onsets(corpus_of):
    corpus = corpus_of([held_chord(10, 1)], planes=frozenset({"sounding"}))
    with pytest.raises(DataError, match="encoder=sounding"):
        evaluate(ToyModel(plane="onset"), corpus)


def test_an_empty_split_is_an_error(corpus_of):
    corpus = corpus_of([held_chord(10, 1)])
    empty = next(name for name in ("train", "valid", "test") if name != corpus.pieces[0].split)
    with pytest.raises(DataError, match="no piece"):
        evaluate(ToyModel(), corpus.split(empty))


def test_a_score_that_is_not_finite_is_an_error_with_the_piece(corpus_of):
    with pytest.raises(ZooError, match="piece 1: the nats of the codes are not finite in 1 of 2"):
        evaluate(ToyModel(broken=True), corpus_of([held_chord(10, 1), held_chord(12, 7)]))


def test_exact_nats_below_zero_are_an_error(corpus_of):
    model = ToyModel()
    log_probs = model.log_probs
    model.log_probs = lambda *music: {
        name: LogProb(-p.value, p.kind) for name, p in log_probs(*music).items()
    }
    with pytest.raises(ZooError, match="piece 0: the nats of the codes are below 0 in 2 of 2"):
        evaluate(model, corpus_of([held_chord(10, 1), held_chord(12, 7)]))


@pytest.mark.parametrize(("kind", "variance"), [("bound", None), ("estimate", 0.01)])
def test_estimates_far_below_zero_are_an_error(corpus_of, kind, variance):
    """Annealing can miss most of the mass of a machine, which then seems to predict better than certainty."""
    model = ToyModel()
    log_probs = model.log_probs

    def flattered(nats):
        def score(*music):
            codes = log_probs(*music)["codes"].value
            spread = None if variance is None else torch.full_like(codes, variance)
            return {"codes": LogProb(torch.full_like(codes, nats), kind, spread)}

        return score

    model.log_probs = flattered(2.0)  # by 20 nats in a piece, as chance can give
    assert evaluate(model, corpus_of([held_chord(10, 1)])).figure("codes").value == -2
    model.log_probs = flattered(5.0)
    with pytest.raises(ZooError, match="piece 0: the nats of the codes are below 0 in 1 of 1"):
        evaluate(model, corpus_of([held_chord(10, 1)]))


def test_evaluation_restores_training_mode(corpus_of):
    model = ToyModel().train()
    evaluate(model, corpus_of([held_chord(10, 1)]))
    assert model.training


def test_progress_is_reported_after_each_batch(corpus_of):
    calls = []
    evaluate(
        ToyModel(),
        corpus_of([held_chord(10, 1), held_chord(30, 4)]),
        batch_frames=10,
        progress=lambda *frames: calls.append(frames),
    )
    assert calls == [(10, 40), (40, 40)]


def test_batches_contain_each_piece_once_and_respect_the_limit():
    lengths = [7, 300, 12, 12, 90, 8, 1]
    batches = list(length_batches(lengths, frames=40))
    assert sorted(index for batch in batches for index in batch) == list(range(7))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= 40
