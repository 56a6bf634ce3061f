"""Optimizers, schedules, averaged weights and batches, and resuming with each of them."""

from __future__ import annotations

import math
import subprocess
import sys
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
from zoo.data.piece import SourcePiece
from zoo.data.source import DataSource
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
from zoo.train.lock import lock_folder
from zoo.train.optimizer import LOWEST, Average, lr_factor, make_optimizer
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
COMBINED = {name: value for recipe in RECIPES[:-1] for name, value in recipe.items()}


def train_run(
    folder: Path, model: Model, corpus: Corpus, settings: TrainSettings, stop: int = 0
) -> list[Any]:
    """Train a run; returns the digests of its weights and checkpoints, and its learning curves."""

    def interrupt(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == stop:
            raise KeyboardInterrupt

    with lock_folder(folder) as place:
        history = fit(model, corpus, settings, Run(place), interrupt, resume=True)
    checkpoints = [
        unpack((folder / f"{name}.safetensors").read_bytes(), name).about for name in ("last", "best")
    ]
    curve = Run(folder).validations("core"), Run(folder).validations("decoder")
    return [
        digest(model.state_dict()),
        *(metadata["weights"] for metadata in checkpoints),
        history.best_step,
        curve,
    ]


@pytest.mark.parametrize("recipe", [*RECIPES, COMBINED], ids=lambda recipe: "-".join(recipe))
def test_a_resumed_run_equals_an_uninterrupted_one(
    recipe: dict[str, Any], tiny: Make, corpus: Corpus, fast: Make, tmp_path: Path
) -> None:
    settings = fast(**{"steps": 8, "validate_every": 3, **recipe})
    uninterrupted = train_run(tmp_path / "uninterrupted", tiny(), corpus, settings)
    assert uninterrupted != train_run(tmp_path / "plain", tiny(), corpus, fast(steps=8, validate_every=3))
    for stop in (2, 5):
        folder = tmp_path / f"stopped-{stop}"
        with pytest.raises(KeyboardInterrupt):
            train_run(folder, tiny(), corpus, settings, stop)
        assert train_run(folder, tiny(), corpus, settings) == uninterrupted


def test_the_schedule_of_a_run_with_minutes_continues_after_resuming(
    tiny: Make, corpus: Corpus, fast: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cosine decay over minutes depends on the training time of the run, not of the session."""
    clock, rates, learn = [100.0], list[tuple[int, float]](), Learner.learn

    def learn_for_a_second(learner: Learner, batches: Any, used: float) -> Any:
        clock[0] += 1
        rates.append((learner.step, lr_factor(settings, learner.step, used)))
        return learn(learner, batches, used)

    monkeypatch.setattr(Learner, "learn", learn_for_a_second)
    monkeypatch.setattr("zoo.train.loop.time", SimpleNamespace(monotonic=lambda: clock[0]))
    settings = fast(minutes=8 / 60, schedule="cosine", validate_every=2)
    with pytest.raises(KeyboardInterrupt):
        train_run(tmp_path / "run", tiny(), corpus, settings, stop=5)
    clock[0] = 5000.0
    train_run(tmp_path / "run", tiny(), corpus, settings)
    assert [step for step, _ in rates] == [0, 1, 2, 3, 4, 4, 5, 6, 7]
    for step, rate in rates:
        assert rate == pytest.approx(LOWEST + (1 - LOWEST) * (1 + math.cos(math.pi * step / 8)) / 2)


@pytest.mark.parametrize("recipe", [{}, {"optimizer": "adamw"}])
def test_weight_decay_exempts_biases_and_normalization(recipe: dict[str, Any]) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    named = dict(model.named_parameters())
    optimizer = make_optimizer(named, TrainSettings(decay=0.5, **recipe), lr=0.1)
    for parameter in named.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    changed = {name for name, parameter in named.items() if not torch.equal(parameter, before[name])}
    assert changed == {"0.weight"}
    if recipe:
        assert torch.allclose(named["0.weight"], 0.95 * before["0.weight"])


@pytest.mark.parametrize("recipe", [{}, {"optimizer": "adamw", "decay": 0.1}])
def test_steps_are_those_of_torch(recipe: dict[str, Any]) -> None:
    settings = TrainSettings(**recipe)
    ours, theirs = (nn.Linear(3, 2) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    kind = torch.optim.AdamW if recipe else torch.optim.Adam
    optimizers = [
        make_optimizer(dict(ours.named_parameters()), settings, lr=0.1),
        kind(
            [{"params": [theirs.weight]}, {"params": [theirs.bias], "weight_decay": 0.0}],
            lr=0.1,
            weight_decay=settings.decay,
        ),
    ]
    for step in range(5):
        for layer, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            layer(torch.full((1, 3), step + 1.0)).square().sum().backward()
            optimizer.step()
        assert torch.equal(ours.weight, theirs.weight)
        assert torch.equal(ours.bias, theirs.bias)


def test_training_does_not_wait_for_the_import_of_the_compiler(songs: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from zoo.cli.main import run; "
        "done = run(sys.argv[1:]); sys.exit(done or 'torch._dynamo' in sys.modules)"
    )
    words = f"train attention=none data={songs} train.steps=2 train.device=cpu -o {tmp_path / 'run'}"
    command = [sys.executable, "-c", code, *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_schedule_warms_up_and_decays_over_the_budget() -> None:
    settings = TrainSettings(warmup=4, schedule="cosine")
    assert [lr_factor(settings, step, 0.0) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert lr_factor(settings, 100, 0.5) == pytest.approx((1 + LOWEST) / 2)
    assert lr_factor(settings, 100, 1.0) == lr_factor(settings, 100, 1.3) == pytest.approx(LOWEST)
    plain = TrainSettings()
    assert {lr_factor(plain, step, step / 9) for step in range(9)} == {1.0}


@pytest.mark.parametrize(
    ("budget", "used"),
    [({"steps": 4}, [0, 1 / 4, 2 / 4, 3 / 4]), ({"epochs": 1}, [step / 5 for step in range(5)])],
)
def test_the_schedule_receives_the_used_fraction_of_the_budget(
    budget: dict[str, int],
    used: list[float],
    tiny: Make,
    corpus: Corpus,
    fast: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received: list[float] = []
    learn = Learner.learn

    def record(learner: Learner, batches: Any, used: float) -> Any:
        received.append(used)
        return learn(learner, batches, used)

    monkeypatch.setattr(Learner, "learn", record)
    fit(tiny(), corpus, fast(**budget))
    assert received == used


def test_each_term_has_its_own_learning_rate(tiny: Make, corpus: Corpus, fast: Make) -> None:
    first, second = tiny(), tiny()
    fit(first, corpus, fast(steps=4, lr=0.02))
    fit(second, corpus, fast(steps=4, lr=0.3, lr_core=0.1, lr_decoder=0.02))
    assert digest(first.decoder.state_dict()) == digest(second.decoder.state_dict())
    assert digest(first.attention.state_dict()) != digest(second.attention.state_dict())


def test_the_moving_average_of_weights() -> None:
    parameter = nn.Parameter(torch.tensor([1.0]))
    average = Average({"x": parameter}, decay=0.5)
    for step, value in ((1, 2.0), (100, 6.0)):
        with torch.no_grad():
            parameter.fill_(value)
        average.update(step)
    first = 1.0 * 2 / 11 + 2.0 * 9 / 11  # the decay is smaller in the first steps
    with average.in_place():
        assert parameter.item() == pytest.approx((first + 6.0) / 2)
    assert parameter.item() == 6.0


def test_each_term_keeps_the_better_of_its_weights_and_their_average(
    tiny: Make, corpus: Corpus, fast: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The average, which is scored first, is better for the core; the weights are better for the decoder."""
    nats = iter([{"core": 1.0, "decoder": 3.0}, {"core": 2.0, "decoder": 2.0}])
    weights: list[dict[str, torch.Tensor]] = []

    def judge(model: Model, *rest: Any) -> Any:
        weights.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return Scores(next(nats))

    monkeypatch.setattr("zoo.train.validation.validate", judge)
    model = tiny()
    history = fit(model, corpus, fast(steps=3, ema=0.9))
    assert history.best == {"core": 1.0, "decoder": 2.0}
    averaged, current = weights
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, (current if name.startswith("decoder") else averaged)[name]), name
    differ = {name.partition(".")[0] for name in current if not torch.equal(averaged[name], current[name])}
    assert differ == {"attention", "sampler", "decoder"}


def test_without_validation_pieces_the_average_is_kept(tiny: Make, tunes: Make, fast: Make) -> None:
    corpus, plain, averaged = tunes(train=6, valid=0), tiny(), tiny()
    fit(plain, corpus, fast(steps=5))
    fit(averaged, corpus, fast(steps=5, ema=0.9))
    assert digest(plain.state_dict()) != digest(averaged.state_dict())


def test_accumulated_batches_equal_one_large_batch(corpus: Corpus, fast: Make) -> None:
    """Only for parts without random losses."""
    words = "attention=none attention.local=4 attention.features=5 sampler=independent decoder=uniform"
    large, accumulated = (build(parse_recipe(words, open_registry())) for _ in range(2))
    fit(large, corpus, fast(steps=2, batch=8, lr=0.001))
    fit(accumulated, corpus, fast(steps=2, batch=2, accumulate=4, lr=0.001))
    for name, tensor in large.state_dict().items():
        torch.testing.assert_close(accumulated.state_dict()[name], tensor, atol=1e-5, rtol=0.0)


@pytest.fixture(scope="session")
def short_pieces(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two hundred pieces of 20 to 90 frames, like chorales."""
    lengths = np.random.default_rng(0).integers(20, 90, 200)

    def read() -> Iterator[SourcePiece]:
        for number, frames in enumerate(lengths):
            keys = np.zeros((frames, 88), np.bool_)
            keys[:, number % 88] = True
            yield SourcePiece(f"piece {number}", Roll(None, keys), split="train")

    source = DataSource("short", frozenset({"sounding"}), len(lengths), read, place="short", state="1")
    return Corpus("short", write_store(source, tmp_path_factory.mktemp("cache")))


def music_fraction(batches: list[Fragments]) -> float:
    """The fraction of frames that are not padding."""
    return sum(int(batch.mask.sum()) for batch in batches) / sum(batch.mask.numel() for batch in batches)


def test_batches_grouped_by_length_have_little_padding(short_pieces: Corpus) -> None:
    def epoch(**settings: Any) -> tuple[TrainingBatches, list[Fragments]]:
        batches = TrainingBatches(short_pieces, TrainSettings(batch=4, **settings), seed=0)
        return batches, [batch for step in range(batches.epoch) for batch in batches.at(step)]

    batches, grouped = epoch(group_by_length=True)
    plain, mixed = epoch()
    assert music_fraction(mixed) < 0.25
    assert music_fraction(grouped) > 0.9
    assert all(batch.past == 0 for batch in grouped)
    seen = [tuple(place) for step in range(batches.epoch) for place in batches.places(step).tolist()]
    assert sorted(seen) == sorted(map(tuple, short_pieces.starts().tolist()))
    assert batches.epoch == plain.epoch
    lengths = [batch.frames for batch in grouped]
    assert lengths != sorted(lengths)
    assert (batches.places(0) != batches.places(batches.epoch)).any()


def test_fragments_grouped_by_length_keep_their_past(corpus: Corpus, fast: Make) -> None:
    batches = TrainingBatches(corpus.split("train"), fast(group_by_length=True), seed=0)
    for step in range(batches.epoch):
        (batch,) = batches.at(step)
        starts = batches.places(step)[:, 1]
        assert batch.past == min(4, max(int(starts.max()) - 1, 0))
        assert batch.mask.any(0).all()
