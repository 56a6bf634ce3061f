"""A part trained with stand-ins in the other slots equals the part of a whole model.

Tables can therefore combine cores, decoders and velocities that were trained separately.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import zoo.bench.cell as cell_module
from zoo.bench.cell import SCORED, Cell, isolated
from zoo.bench.work import do
from zoo.data import open_corpus
from zoo.data.fragments import Fragments
from zoo.measure import evaluate
from zoo.measure.evaluation import Evaluation
from zoo.model.build import build
from zoo.parts.terms import SLOTS_OF, TERMS, Term
from zoo.registry import Registry, parse_recipe
from zoo.train.fit import fit
from zoo.train.learner import Learner
from zoo.train.run import Run
from zoo.train.settings import TrainSettings

TRAIN: dict[str, Any] = {
    "steps": 5,
    "batch": 4,
    "frames": 16,
    "stride": 8,
    "past": 4,
    "validate_every": 2,
    "lr": 0.02,
    "device": "cpu",
}
SEED = 3
WHOLE = {
    "shipped": "attention=none attention.local=4 attention.features=5 sampler.hidden=4 decoder.hidden=4 "
    "velocity=lstm",
    "by chance": "attention=history sampler=voices sampler.objective=bound decoder=rbm velocity=lstm",
    "sounding": "encoder=sounding attention=lags sampler=independent decoder=rbm decoder.hidden=4 "
    "velocity=mean",
}


def tensors_of(folder: Path, term: Term) -> dict[str, Tensor]:
    """The best weights of a term in a run."""
    best = Run(folder).best()
    assert best is not None
    return {n: tensor for n, tensor in best.tensors.items() if n.partition(".")[0] in SLOTS_OF[term]}


@pytest.mark.parametrize("words", WHOLE.values(), ids=WHOLE)
def test_isolated_term_learns_the_same_as_in_a_whole_model(
    words: str, songs: Path, tmp_path: Path, registry: Registry
) -> None:
    recipe, settings = parse_recipe(words, registry), TrainSettings(**TRAIN)
    corpus = open_corpus(str(songs))
    model = build(recipe, SEED)
    history = fit(model, corpus, settings, Run(folder(tmp_path / "whole")), seed=SEED)
    together = evaluate(model, corpus.split("test"), seed=SEED)

    for term in TERMS:
        cell = Cell(term, isolated(recipe, term, registry), "tunes", "test", settings, SEED)
        result = do(cell.order(str(songs)), tmp_path / term)
        # The stored result is, to the last digit, that of the whole model.
        assert result["evaluation"]["terms"] == together.to_json(*SCORED[term])["terms"]
        assert result["validation"] == history.best[term]
        curve = [(validation.step, validation.nats[term]) for validation in history.validations]
        # Parts that only count are trained at once and have no learning curve.
        assert result["curve"] == curve if result["learns"] else result["curve"][0][1] == curve[-1][1]
        isolated_part, whole = tensors_of(tmp_path / term, term), tensors_of(tmp_path / "whole", term)
        assert isolated_part.keys() == whole.keys()
        assert all(torch.equal(isolated_part[name], whole[name]) for name in isolated_part)
        assert isolated_part or not result["learns"]


def test_terms_add_up_to_the_whole_score() -> None:
    """Every number of an evaluation is stored by exactly one term."""
    assert sorted(name for names in SCORED.values() for name in names) == [
        "codes",
        "keys",
        "residual",
        "velocity",
    ]


def test_stored_evaluation_equals_the_original(songs: Path, registry: Registry) -> None:
    corpus = open_corpus(str(songs)).split("test")
    evaluation = evaluate(build(parse_recipe(WHOLE["by chance"], registry)), corpus, seed=SEED)
    again = Evaluation.from_json(evaluation.to_json())
    assert again.digests == evaluation.digests
    assert again.terms.keys() == evaluation.terms.keys()
    for name, term in evaluation.terms.items():
        assert again.terms[name].kind == term.kind
        assert again.terms[name].nats == pytest.approx(term.nats, abs=1e-4)
        assert (again.terms[name].variance is None) == (term.variance is None)
    assert again.struck is not None
    assert list(again.struck) == list(evaluation.struck if evaluation.struck is not None else [])
    assert list(again.frames) == list(evaluation.frames)
    assert again.remarks.keys() == evaluation.remarks.keys()
    assert again.families == evaluation.families == tuple(piece.family for piece in corpus.pieces)


def test_stored_evaluation_without_families_has_one_per_piece() -> None:
    stored = {"pieces": ["a", "b"], "frames": [4, 4], "struck": None, "remarks": {}}
    stored["terms"] = {"codes": {"kind": "exact", "nats": [1.0, 2.0], "variance": None}}
    evaluation = Evaluation.from_json(stored)
    assert evaluation.families == ()
    assert (evaluation.score().families, evaluation.score().interval) != (1, None)


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_new_yardstick_scores_again_without_a_training_step(
    songs: Path, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TrainSettings(steps=3, batch=2, frames=16, stride=16, validate_every=3, device="cpu")
    recipe = isolated(parse_recipe(WHOLE["by chance"], registry), "core", registry)
    cell = Cell("core", recipe, "tunes", "test", settings, SEED)
    first = do(cell.order(str(songs)), tmp_path / cell.training)

    monkeypatch.setattr(cell_module, "YARDSTICK", cell_module.YARDSTICK + 1)
    again = replace(cell)
    assert (again.name != cell.name, again.training) == (True, cell.training)

    def learn(self: Learner, batch: Fragments) -> None:
        raise AssertionError("a training step")

    monkeypatch.setattr(Learner, "learn", learn)
    second = do(again.order(str(songs)), tmp_path / again.training)
    assert second["evaluation"] == first["evaluation"]
    assert second["curve"] == first["curve"]


def test_training_name_changes_with_everything_that_changes_its_weights(registry: Registry) -> None:
    recipe = isolated(parse_recipe("attention=none", registry), "core", registry)
    cell = Cell("core", recipe, "tunes", "test", TrainSettings(steps=3), SEED)
    changed = [
        replace(cell, seed=SEED + 1),
        replace(cell, data="other"),
        replace(cell, train=TrainSettings(steps=4)),
        replace(cell, recipe=isolated(parse_recipe("attention=lags", registry), "core", registry)),
    ]
    assert len({cell.training, *(variant.training for variant in changed)}) == 1 + len(changed)
    assert replace(cell, split="valid").training == cell.training
