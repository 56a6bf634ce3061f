"""The training recipe: optimisers, schedules, averaged weights, batches; and resuming with each of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from zoo.data import Corpus
from zoo.data.fragments import Fragments
from zoo.data.piece import Reading
from zoo.data.source import Source
from zoo.data.writing import write_store
from zoo.model.build import build
from zoo.model.model import Model
from zoo.model.weights import digest, unpack
from zoo.music.roll import Roll
from zoo.registry import open_registry, parse_recipe
from zoo.train.batches import TrainingBatches
from zoo.train.events import Event, Stepped
from zoo.train.fit import fit
from zoo.train.learner import Learner
from zoo.train.lock import claimed
from zoo.train.optimizer import LOWEST, Average, optimizer_of, share_of_rate
from zoo.train.run import Run
from zoo.train.score import Scores
from zoo.train.settings import TrainSettings

Make = Callable[..., Any]

RECIPES: list[dict[str, Any]] = [
    {"optimizer": "adamw", "decay": 0.1},
    {"schedule": "cosine", "warmup": 4},
    {"ema": 0.9},
    {"accumulate": 2},
    {"group_by_length": True},
    {"lr_decoder": 0.003},
    {"precision": "bf16"},
    {"patience": 2, "validate_every": 1},
]
TOGETHER = {name: value for recipe in RECIPES[:-1] for name, value in recipe.items()}


def trained(folder: Path, model: Model, corpus: Corpus, settings: TrainSettings, stop: int = 0) -> list[Any]:
    """What a run came to: checkpoints, the model, and the learning curve."""

    def interrupt(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == stop:
            raise KeyboardInterrupt

    with claimed(folder) as place:
        history = fit(model, corpus, settings, Run(place), interrupt, resume=True)
    kept = [unpack((folder / f"{name}.safetensors").read_bytes(), name).about for name in ("last", "best")]
    curve = Run(folder).validations("core"), Run(folder).validations("decoder")
    return [digest(model.state_dict()), *(about["weights"] for about in kept), history.best_step, curve]


@pytest.mark.parametrize("recipe", [*RECIPES, TOGETHER], ids=lambda recipe: "-".join(recipe))
def test_an_interrupted_run_ends_as_an_unbroken_one(
    recipe: dict[str, Any], tiny: Make, corpus: Corpus, fast: Make, tmp_path: Path
) -> None:
    settings = fast(**{"steps": 8, "validate_every": 3, **recipe})
    unbroken = trained(tmp_path / "unbroken", tiny(), corpus, settings)
    assert unbroken != trained(tmp_path / "plain", tiny(), corpus, fast(steps=8, validate_every=3))
    for stop in (2, 5):
        folder = tmp_path / f"stopped-{stop}"
        with pytest.raises(KeyboardInterrupt):
            trained(folder, tiny(), corpus, settings, stop)
        assert trained(folder, tiny(), corpus, settings) == unbroken


def test_a_run_by_the_clock_goes_on_at_the_rate_it_had(
    tiny: Make, corpus: Corpus, fast: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cosine decay over minutes follows the seconds that the run has used, not those of the session."""
    clock, rates, learn = [100.0], list[tuple[int, float]](), Learner.learn

    def a_second_long(learner: Learner, batches: Any, used: float) -> Any:
        clock[0] += 1
        rates.append((learner.step, share_of_rate(settings, learner.step, used)))
        return learn(learner, batches, used)

    monkeypatch.setattr(Learner, "learn", a_second_long)
    monkeypatch.setattr("zoo.train.loop.time", SimpleNamespace(monotonic=lambda: clock[0]))
    settings = fast(minutes=8 / 60, schedule="cosine", validate_every=2)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "run", tiny(), corpus, settings, stop=5)
    clock[0] = 5000.0
    trained(tmp_path / "run", tiny(), corpus, settings)
    assert [step for step, _ in rates] == [0, 1, 2, 3, 4, 4, 5, 6, 7]
    for step, rate in rates:
        assert rate == pytest.approx(LOWEST + (1 - LOWEST) * (1 + math.cos(math.pi * step / 8)) / 2)


@pytest.mark.parametrize("recipe", [{}, {"optimizer": "adamw"}])
def test_decay_leaves_out_biases_and_normalisation(recipe: dict[str, Any]) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    named = dict(model.named_parameters())
    optimizer = optimizer_of(named, TrainSettings(decay=0.5, **recipe), lr=0.1)
    for parameter in named.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    changed = {name for name, parameter in named.items() if not torch.equal(parameter, before[name])}
    assert changed == {"0.weight"}
    if recipe:
        assert torch.allclose(named["0.weight"], 0.95 * before["0.weight"])


def test_the_schedule_warms_up_and_decays_over_the_budget() -> None:
    settings = TrainSettings(warmup=4, schedule="cosine")
    assert [share_of_rate(settings, step, 0.0) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert share_of_rate(settings, 100, 0.5) == pytest.approx((1 + LOWEST) / 2)
    assert share_of_rate(settings, 100, 1.0) == share_of_rate(settings, 100, 1.3) == pytest.approx(LOWEST)
    plain = TrainSettings()
    assert {share_of_rate(plain, step, step / 9) for step in range(9)} == {1.0}


@pytest.mark.parametrize(
    ("budget", "used"),
    [({"steps": 4}, [0, 1 / 4, 2 / 4, 3 / 4]), ({"epochs": 1}, [step / 5 for step in range(5)])],
)
def test_the_schedule_knows_the_budget(
    budget: dict[str, int],
    used: list[float],
    tiny: Make,
    corpus: Corpus,
    fast: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[float] = []
    learn = Learner.learn

    def noted(learner: Learner, batches: Any, used: float) -> Any:
        told.append(used)
        return learn(learner, batches, used)

    monkeypatch.setattr(Learner, "learn", noted)
    fit(tiny(), corpus, fast(**budget))
    assert told == used


def test_each_term_has_its_own_rate(tiny: Make, corpus: Corpus, fast: Make) -> None:
    one, other = tiny(), tiny()
    fit(one, corpus, fast(steps=4, lr=0.02))
    fit(other, corpus, fast(steps=4, lr=0.3, lr_core=0.1, lr_decoder=0.02))
    assert digest(one.decoder.state_dict()) == digest(other.decoder.state_dict())
    assert digest(one.attention.state_dict()) != digest(other.attention.state_dict())


def test_the_average_is_that_of_the_weights() -> None:
    parameter = nn.Parameter(torch.tensor([1.0]))
    average = Average({"x": parameter}, decay=0.5)
    for step, value in ((1, 2.0), (100, 6.0)):
        with torch.no_grad():
            parameter.fill_(value)
        average.update(step)
    first = 1.0 * 2 / 11 + 2.0 * 9 / 11  # of a few steps it is shorter than asked for
    with average.in_place():
        assert parameter.item() == pytest.approx((first + 6.0) / 2)
    assert parameter.item() == 6.0


def test_each_term_keeps_the_better_of_its_weights_and_their_average(
    tiny: Make, corpus: Corpus, fast: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The average is scored first: it is better for the core, the weights themselves for the decoder."""
    nats = iter([{"core": 1.0, "decoder": 3.0}, {"core": 2.0, "decoder": 2.0}])
    weights: list[dict[str, torch.Tensor]] = []

    def judge(model: Model, *rest: Any) -> Any:
        weights.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return Scores(next(nats))

    monkeypatch.setattr("zoo.train.validation.validate", judge)
    model = tiny()
    history = fit(model, corpus, fast(steps=3, ema=0.9))
    assert history.best == {"core": 1.0, "decoder": 2.0}
    averaged, own = weights
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, (own if name.startswith("decoder") else averaged)[name]), name
    differ = {name.partition(".")[0] for name in own if not torch.equal(averaged[name], own[name])}
    assert differ == {"attention", "sampler", "decoder"}


def test_without_validation_pieces_the_average_is_kept(tiny: Make, tunes: Make, fast: Make) -> None:
    corpus, plain, averaged = tunes(train=6, valid=0), tiny(), tiny()
    fit(plain, corpus, fast(steps=5))
    fit(averaged, corpus, fast(steps=5, ema=0.9))
    assert digest(plain.state_dict()) != digest(averaged.state_dict())


def test_accumulated_batches_are_one_large_batch(corpus: Corpus, fast: Make) -> None:
    """For parts without chance in their loss."""
    words = "attention=none attention.local=4 attention.features=5 sampler=independent decoder=uniform"
    one, other = (build(parse_recipe(words, open_registry())) for _ in range(2))
    fit(one, corpus, fast(steps=2, batch=8, lr=0.001))
    fit(other, corpus, fast(steps=2, batch=2, accumulate=4, lr=0.001))
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], tensor, atol=1e-5, rtol=0.0)


@pytest.fixture(scope="session")
def short_pieces(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two hundred pieces of 20 to 90 frames, as short and as different as chorales."""
    lengths = np.random.default_rng(0).integers(20, 90, 200)

    def read() -> Iterator[Reading]:
        for number, frames in enumerate(lengths):
            keys = np.zeros((frames, 88), np.bool_)
            keys[:, number % 88] = True
            yield Reading(f"piece {number}", Roll(None, keys), split="train")

    source = Source("short", frozenset({"sounding"}), len(lengths), read, place="short", state="1")
    return Corpus("short", write_store(source, tmp_path_factory.mktemp("cache")))


def used(batches: list[Fragments]) -> float:
    """How much of the batches is music."""
    return sum(int(batch.mask.sum()) for batch in batches) / sum(batch.mask.numel() for batch in batches)


def test_batches_by_length_hold_little_padding(short_pieces: Corpus) -> None:
    def epoch(**more: Any) -> tuple[TrainingBatches, list[Fragments]]:
        batches = TrainingBatches(short_pieces, TrainSettings(batch=4, **more), seed=0)
        return batches, [batch for step in range(batches.epoch) for batch in batches.at(step)]

    batches, grouped = epoch(group_by_length=True)
    plain, mixed = epoch()
    assert used(mixed) < 0.25
    assert used(grouped) > 0.9
    assert all(batch.past == 0 for batch in grouped)
    heard = [tuple(place) for step in range(batches.epoch) for place in batches.places(step).tolist()]
    assert sorted(heard) == sorted(map(tuple, short_pieces.starts().tolist()))
    assert batches.epoch == plain.epoch
    lengths = [batch.frames for batch in grouped]
    assert lengths != sorted(lengths)
    assert (batches.places(0) != batches.places(batches.epoch)).any()


def test_long_pieces_keep_their_history(corpus: Corpus, fast: Make) -> None:
    batches = TrainingBatches(corpus.split("train"), fast(group_by_length=True), seed=0)
    for step in range(batches.epoch):
        (batch,) = batches.at(step)
        starts = batches.places(step)[:, 1]
        assert batch.past == min(4, max(int(starts.max()) - 1, 0))
        assert batch.mask.any(0).all()
