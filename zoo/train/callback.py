"""Callbacks: your own code at fixed points of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.train.events import FitResult, Listen, Started, Stepped, Validated

if TYPE_CHECKING:
    from zoo.errors import NonFiniteError
    from zoo.train.learner import Learner


class Callback:
    """Acts at fixed points of training; subclasses override the methods they need.

    A listener only receives events. A callback also receives the learner: it may read the model and its
    gradients, change weights or settings of parts, write files, or end training by setting
    `learner.should_stop`. Checkpoints contain no state of callbacks: for a resumed run to equal an
    uninterrupted one, a callback must depend on the step and the model alone::

        class StopAt(Callback):
            def on_validation(self, learner, event):
                learner.should_stop = event.nats["core"] < 2.5

        model.fit("bach", minutes=10, callbacks=[StopAt()])
    """

    def on_start(self, learner: Learner, event: Started) -> None:
        """Called before the first step, also of a resumed run."""

    def on_step_begin(self, learner: Learner) -> None:
        """Called before each step; `learner.step` is the number of steps taken."""

    def on_step_end(self, learner: Learner, event: Stepped) -> None:
        """Called after each step; the gradients of the step are still in the model."""

    def on_validation(self, learner: Learner, event: Validated) -> None:
        """Called after each validation; `learner.best` already contains the terms that improved."""

    def on_error(self, learner: Learner, error: NonFiniteError) -> None:
        """Called when a step cannot be taken; the weights are those before it. `error` is raised next."""

    def on_end(self, learner: Learner, result: FitResult) -> None:
        """Called at the end, also of an interrupted training; the model still has its last weights."""


class Listener(Callback):
    """Passes all events to a function."""

    def __init__(self, listen: Listen) -> None:
        self._listen = listen

    def on_start(self, learner: Learner, event: Started) -> None:
        """Pass on the start."""
        self._listen(event)

    def on_step_end(self, learner: Learner, event: Stepped) -> None:
        """Pass on the step."""
        self._listen(event)

    def on_validation(self, learner: Learner, event: Validated) -> None:
        """Pass on the validation."""
        self._listen(event)
