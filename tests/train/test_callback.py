"""Callbacks: the order of calls, what they may change, and exact resuming."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.data import Corpus
from zoo.errors import NonFiniteError
from zoo.train.callback import Callback
from zoo.train.fit import fit
from zoo.train.lock import lock_folder
from zoo.train.run import Run

from .conftest import Stop

Make = Callable[..., Any]


class Recorder(Callback):
    """Records the points at which it is called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_start(self, learner: Any, event: Any) -> None:
        self.calls.append(f"start {event.step}")

    def on_step_begin(self, learner: Any) -> None:
        self.calls.append(f"begin {learner.step}")

    def on_step_end(self, learner: Any, event: Any) -> None:
        assert any(p.grad is not None and p.grad.any() for p in learner.model.parameters())
        self.calls.append(f"end {event.step}")

    def on_validation(self, learner: Any, event: Any) -> None:
        assert learner.best.step.keys() >= set(event.improved)
        self.calls.append(f"validation {event.step}")

    def on_end(self, learner: Any, result: Any) -> None:
        self.calls.append(f"over {result.step}")


def test_a_callback_is_called_at_every_point_in_order(corpus: Corpus, tiny: Make, fast: Make) -> None:
    recorder = Recorder()
    fit(tiny(), corpus, fast(steps=3, validate_every=2), callbacks=[recorder])
    assert recorder.calls == [
        "start 0",
        *("begin 0", "end 1", "begin 1", "end 2", "validation 2"),
        *("begin 2", "end 3", "validation 3", "over 3"),
    ]


def test_a_callback_may_end_training(corpus: Corpus, tiny: Make, fast: Make) -> None:
    class StopAfterTwo(Callback):
        def on_step_end(self, learner: Any, event: Any) -> None:
            learner.should_stop = event.step == 2

    result = fit(tiny(), corpus, fast(steps=50), callbacks=[StopAfterTwo()])
    assert result.step == 2
    assert [event.step for event in result.validations] == [2]


class Freeze(Callback):
    """Reverts each step for the weights of the attention."""

    def on_step_begin(self, learner: Any) -> None:
        self._before = {n: t.clone() for n, t in learner.model.attention.state_dict().items()}

    def on_step_end(self, learner: Any, event: Any) -> None:
        learner.model.attention.load_state_dict(self._before)


def test_a_callback_may_change_weights(corpus: Corpus, tiny: Make, fast: Make) -> None:
    model, untrained = tiny(), tiny()
    fit(model, corpus, fast(steps=4), callbacks=[Freeze()])
    for name, weight in untrained.attention.named_parameters():
        assert torch.equal(weight, model.attention.get_parameter(name)), name
    assert any(
        not torch.equal(weight, model.sampler.get_parameter(name))
        for name, weight in untrained.sampler.named_parameters()
    )


def test_an_interrupted_run_with_a_callback_ends_as_an_uninterrupted_one(
    corpus: Corpus, tiny: Make, fast: Make, tmp_path: Path
) -> None:
    def train(folder: Path, listen: Any = None) -> Any:
        model = tiny()
        with lock_folder(folder) as place:
            fit(model, corpus, fast(steps=6), Run(place), listen, resume=True, callbacks=[Freeze()])
        return model

    from zoo.train.events import Stepped

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", Stop(Stepped, 3))
    resumed = train(tmp_path / "run")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_callback_sees_the_error_of_a_step(corpus: Corpus, tiny: Make, fast: Make) -> None:
    model, errors = tiny(), list[str]()
    model.decoder.linear.weight.register_hook(lambda gradient: gradient * float("inf"))

    class Watching(Callback):
        def on_error(self, learner: Any, error: NonFiniteError) -> None:
            errors.append(error.problems[0].what)

    with pytest.raises(NonFiniteError):
        fit(model, corpus, fast(steps=2), callbacks=[Watching()])
    assert [problem for problem in errors if "the gradient of the decoder" in problem]


def test_python_takes_callbacks_and_settings(corpus: Corpus) -> None:
    recorder = Recorder()
    assert issubclass(Recorder, zoo.Callback)
    zoo.build(attention="none").fit(corpus, steps=1, batch=2, device="cpu", callbacks=[recorder])
    assert recorder.calls[-1] == "over 1"
