"""The training loop: losses fall, results are reproducible, and budgets are kept."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from zoo.data import Corpus
from zoo.errors import DataError, NonFiniteError, UsageError
from zoo.model.build import build
from zoo.model.model import Model
from zoo.model.weights import digest
from zoo.registry import open_registry, parse_recipe
from zoo.train.events import Event, Started, Stepped, Validated
from zoo.train.fit import fit
from zoo.train.record import record
from zoo.train.score import Scores
from zoo.train.settings import TrainSettings

Make = Callable[..., Any]
STEPS = int(os.environ.get("ZOO_STRESS_STEPS", "120"))
"""Steps over which memory is measured."""


def fit_digest(model: Model, corpus: Corpus, settings: TrainSettings, **options: Any) -> str:
    """Train a model; returns the digest of its weights."""
    fit(model, corpus, settings, **options)
    return digest(model.state_dict())


def test_losses_and_nats_decrease(tiny: Make, corpus: Corpus, fast: Make) -> None:
    events: list[Event] = []
    history = fit(tiny(), corpus, fast(steps=32, validate_every=8, lr=0.05), listen=events.append)
    assert isinstance(events[0], Started)
    steps = [event for event in events if isinstance(event, Stepped)]
    assert [event.step for event in steps] == list(range(1, 33))
    for term in ("core", "decoder"):
        losses = [event.losses[term] for event in steps]
        assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
        assert history.best[term] < history.validations[0].nats[term]


def test_weights_depend_on_the_seed(tiny: Make, corpus: Corpus, fast: Make) -> None:
    digests = [fit_digest(tiny(), corpus, fast(steps=4), seed=seed) for seed in (1, 1, 2)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_the_global_generator_is_not_used(tiny: Make, corpus: Corpus, fast: Make) -> None:
    first = fit_digest(tiny(), corpus, fast(steps=4))
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert fit_digest(tiny(), corpus, fast(steps=4)) == first
    assert torch.equal(torch.get_rng_state(), state)


def test_each_term_has_its_own_best_weights(
    tiny: Make, corpus: Corpus, fast: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core is best at step 2 and the decoder at step 4: the result combines both."""
    nats = iter([{"core": 1.0, "decoder": 3.0}, {"core": 2.0, "decoder": 1.0}, {"core": 2.0, "decoder": 2.0}])
    monkeypatch.setattr("zoo.train.validation.validate", lambda *arguments: Scores(next(nats)))
    seen: dict[int, dict[str, torch.Tensor]] = {}
    model = tiny()

    def listen(event: Event) -> None:
        if isinstance(event, Validated):
            seen[event.step] = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    history = fit(model, corpus, fast(steps=6, validate_every=2), listen=listen)
    assert history.best_step == {"core": 2, "decoder": 4}
    assert history.best == {"core": 1.0, "decoder": 1.0}
    assert [event.improved for event in history.validations] == [("core", "decoder"), ("decoder",), ()]
    for name, tensor in model.state_dict().items():
        step = 4 if name.startswith("decoder") else 2
        assert torch.equal(tensor, seen[step][name]), name
    assert not torch.equal(seen[2]["decoder.linear.weight"], seen[4]["decoder.linear.weight"])


def test_terms_are_trained_independently(tiny: Make, corpus: Corpus, fast: Make) -> None:
    """The weights of a decoder do not depend on the core that is trained with it."""
    models = tiny(), tiny("sampler.voices=3")
    for model in models:
        fit(model, corpus, fast(steps=4))
    first, second = (digest(model.decoder.state_dict()) for model in models)
    assert first == second


def test_the_floors_are_counted_without_steps(corpus: Corpus, fast: Make) -> None:
    model = build(parse_recipe("rates", open_registry()))
    history = fit(model, corpus, fast(epochs=5))
    assert history.step == 0
    assert set(history.best) == {"core", "decoder"}
    assert int(model.encoder.residual.counts.sum()) > 0


@pytest.mark.parametrize(("velocity", "nats"), [("mean", 1.0), ("lstm", 4.0)])
def test_velocity_is_trained_and_calibrated(
    tiny: Make, corpus: Corpus, fast: Make, velocity: str, nats: float
) -> None:
    """All velocities are 64; a model without velocities would need 4.8 nats per note, one note per frame."""
    model = tiny(f"velocity={velocity}")
    assert not model.velocity.spread.evidence.any()
    history = fit(model, corpus, fast(steps=30, lr=0.05, validate_every=10))
    assert model.velocity.spread.evidence.any()
    assert history.best["velocity"] < nats


def test_without_validation_pieces_the_last_weights_are_kept(tiny: Make, tunes: Make, fast: Make) -> None:
    corpus = tunes(train=6, valid=0)
    short, long = tiny(), tiny()
    assert fit(short, corpus, fast(steps=2)).best == {}
    fit(long, corpus, fast(steps=7))
    assert digest(short.state_dict()) != digest(long.state_dict())


@pytest.mark.parametrize(
    ("budget", "steps"),
    [({"steps": 5}, 5), ({"epochs": 2}, 10), ({"steps": 50, "patience": 2}, 9)],
)
def test_training_ends_with_its_budget(
    tiny: Make,
    corpus: Corpus,
    fast: Make,
    budget: dict[str, Any],
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """23 fragments are 5 batches of 4 per epoch; patience ends 6 steps after the only improvement."""
    if "patience" in budget:
        monkeypatch.setattr(
            "zoo.train.validation.validate", lambda *arguments: Scores({"core": 1.0, "decoder": 1.0})
        )
    assert fit(tiny(), corpus, fast(**budget)).step == steps


def level(monkeypatch: pytest.MonkeyPatch, improving: int) -> None:
    """Let the core improve at the first validations and nothing afterwards; the decoder never does."""
    nats = itertools.chain(range(improving, 0, -1), itertools.repeat(1))
    monkeypatch.setattr(
        "zoo.train.validation.validate", lambda *arguments: Scores({"core": next(nats), "decoder": 1.0})
    )


@pytest.mark.parametrize(
    ("settings", "steps", "stopped"),
    [
        # The core improves last at step 9; twenty validations without any improvement are 60 steps.
        ({}, 69, "patience"),
        ({"schedule": "cosine"}, 90, "budget"),
        ({"patience": 0}, 90, "budget"),
        ({"patience": 4}, 21, "patience"),
        ({"patience": 4, "schedule": "cosine"}, 21, "patience"),
        ({"steps": 50}, 50, "budget"),
    ],
)
def test_training_stops_early_by_default_only_at_a_constant_learning_rate(
    tiny: Make,
    corpus: Corpus,
    fast: Make,
    settings: dict[str, Any],
    steps: int,
    stopped: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    level(monkeypatch, improving=3)
    monkeypatch.setattr("zoo.train.settings.LEAST", 30)
    chosen = fast(**{"steps": 90, **settings})
    result = fit(tiny(), corpus, chosen)
    assert (result.step, result.stopped) == (steps, stopped)
    assert record(result, corpus, chosen, seed=0)["training"]["stopped"] == stopped


def test_a_thousand_steps_are_the_least_patience_by_default(fast: Make) -> None:
    assert fast(validate_every=1).wait == 1000
    assert fast(validate_every=100).wait == 2000
    assert fast(validate_every=1, patience=5).wait == 5


def test_without_scores_training_is_never_stopped_early(
    tiny: Make, tunes: Make, fast: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.train.settings.LEAST", 1)
    result = fit(tiny(), tunes(train=6, valid=0), fast(steps=9, validate_every=1, patience=2))
    assert (result.step, result.stopped) == (9, "budget")


def test_a_model_without_weights_says_that_there_is_nothing_to_train(corpus: Corpus, fast: Make) -> None:
    assert (
        fit(build(parse_recipe("rates", open_registry())), corpus, fast(steps=5)).stopped
        == "nothing to train"
    )


def test_training_ends_after_its_minutes(tiny: Make, corpus: Corpus, fast: Make) -> None:
    assert fit(tiny(), corpus, fast(minutes=0.0001)).step >= 1


def test_invalid_combinations_of_settings() -> None:
    with pytest.raises(ValidationError, match="minutes and steps"):
        TrainSettings(minutes=1, steps=3)
    with pytest.raises(ValidationError, match="gaps"):
        TrainSettings(frames=8, stride=9)


def test_an_unavailable_device_is_an_error(tiny: Make, corpus: Corpus, fast: Make) -> None:
    for device in ("cuda:77", "abacus"):
        with pytest.raises(UsageError, match=device) as error:
            fit(tiny(), corpus, fast(steps=1, device=device))
        assert error.value.problems[0].where == "train.device"


def test_unsuitable_music_is_an_error(tiny: Make, tunes: Make, fast: Make) -> None:
    with pytest.raises(DataError, match="without onsets"):
        fit(tiny(), tunes(planes="sounding"), fast(steps=1))
    with pytest.raises(DataError, match="velocity=none"):
        fit(tiny("velocity=mean"), tunes(planes="onset sounding"), fast(steps=1))
    with pytest.raises(DataError, match="no velocities, which decoder=rbm-loudness uses"):
        fit(tiny("decoder=rbm-loudness"), tunes(planes="onset sounding"), fast(steps=1))
    with pytest.raises(DataError, match="no piece to train on"):
        fit(tiny(), tunes(train=0), fast(steps=1))
    fit(tiny("encoder=keys encoder.plane=sounding"), tunes(planes="sounding"), fast(steps=1))


def test_a_nan_loss_stops_training_before_weights_change(
    tiny: Make, corpus: Corpus, fast: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of all terms are those of the step before."""
    expected = fit_digest(tiny(), corpus, fast(steps=3, validate_every=3))
    model = poisoned(tiny(), step=4)
    with pytest.raises(NonFiniteError, match=r"decoder .* step 4") as error:
        fit(model, corpus, fast(steps=8, validate_every=100))
    assert error.value.exit_code == 6
    assert digest(model.state_dict()) == expected


def poisoned(model: Model, step: int, by: float = float("nan")) -> Model:
    """Make the loss of the decoder NaN in one step."""
    forward, calls = model.forward, iter(range(1, 1000))

    def poison(*arguments: Any) -> Any:
        losses = forward(*arguments)
        return {**losses, "decoder": losses["decoder"] * by} if next(calls) == step else losses

    model.forward = poison  # type: ignore[assignment, method-assign]
    return model


def test_an_infinite_gradient_stops_training(tiny: Make, corpus: Corpus, fast: Make) -> None:
    model = tiny()
    model.decoder.linear.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = digest(model.decoder.state_dict())
    with pytest.raises(NonFiniteError, match="the gradient of the decoder"):
        fit(model, corpus, fast(steps=2))
    assert digest(model.decoder.state_dict()) == before


def test_memory_does_not_grow_with_steps(
    tiny: Make, corpus: Corpus, fast: Make, resident: Callable[[], int]
) -> None:
    used: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, Stepped) and event.step in (30, STEPS):
            used.append(resident())

    fit(tiny(), corpus, fast(steps=STEPS, validate_every=30), listen=listen)
    assert used[1] - used[0] < 20 * 2**20


def test_weights_do_not_depend_on_threads_which_are_recorded(tiny: Make, corpus: Corpus, fast: Make) -> None:
    digests = {}
    for threads in (1, 2):
        model, settings = tiny(), fast(steps=2, threads=threads)
        history = fit(model, corpus, settings)
        assert history.threads == record(history, corpus, settings, 0)["training"]["threads"] == threads
        digests[threads] = digest(model.state_dict())
    assert digests[1] == digests[2]
