"""The training loop: steps and validations until the budget is used up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from zoo.errors import NonFiniteError
from zoo.train.batches import TrainingBatches
from zoo.train.budget import Budget
from zoo.train.callback import Callback
from zoo.train.events import FitResult, Started, Stepped, Validated
from zoo.train.interrupts import deferred_interrupts
from zoo.train.learner import Learner
from zoo.train.validation import Validation


@dataclass
class Loop:
    """One session of training, from its start or a resumption to its end or an interrupt.

    Attributes:
        learner: the model, with its optimizers and best weights.
        batches: the training batches.
        validation: chooses the best weights.
        budget: the training budget.
        callbacks: called in this order at each point.
    """

    learner: Learner
    batches: TrainingBatches
    validation: Validation
    budget: Budget
    callbacks: Sequence[Callback]
    _validations: list[Validated] = field(default_factory=list)
    _began: float = 0.0

    def run(self, *, validate_first: bool) -> FitResult:
        """Train from where the learner stands to the end of the budget.

        Args:
            validate_first: whether to validate before the first step, for fine-tuning.

        Raises:
            NonFiniteError: a loss or gradient is not finite; the weights are those of the step before.
            KeyboardInterrupt: training was interrupted; `on_end` was called.
        """
        self._start()
        if validate_first and self.learner.validated < 0:
            self._validate()
        ranks, interrupts = self.learner.ranks, 0.0
        with deferred_interrupts() as interrupted:
            while self.budget.over(self.learner) is None:
                self._step()
                if self.learner.step % self.budget.settings.validate_every == 0:
                    self._validate()
                stops, interrupts = ranks.total(self.learner.should_stop, interrupted())
                self.learner.should_stop = stops > 0
                if interrupts:
                    break
            if not interrupts and self.learner.validated != self.learner.step:
                self._validate()
            result = self._end()
        if interrupts:
            raise KeyboardInterrupt  # the signal came to another rank
        return result

    def _start(self) -> None:
        """Start the clock, which includes the time of earlier sessions."""
        self._began = time.monotonic() - self.learner.seconds
        event = Started(
            step=self.learner.step,
            steps=self.budget.steps,
            seconds=self.budget.seconds,
            epoch=self.budget.epoch,
            device=str(self.learner.model.device),
            threads=torch.get_num_threads(),
            ranks=self.learner.ranks.count,
        )
        for callback in self.callbacks:
            callback.on_start(self.learner, event)

    def _step(self) -> None:
        learner = self.learner
        for callback in self.callbacks:
            callback.on_step_begin(learner)
        batches = [batch.to(learner.model.device) for batch in self.batches.at(learner.step)]
        try:
            losses = learner.learn(batches, self.budget.used(learner))
        except NonFiniteError as error:
            for callback in self.callbacks:
                callback.on_error(learner, error)
            raise
        self._read_clock()
        event = Stepped(learner.step, losses, learner.frames, learner.seconds)
        for callback in self.callbacks:
            callback.on_step_end(learner, event)

    def _validate(self) -> None:
        scored, improved = self.validation(self.learner)
        self._read_clock()
        event = Validated(self.learner.step, scored.nats, improved, self.learner.seconds, scored.kinds)
        self._validations.append(event)
        for callback in self.callbacks:
            callback.on_validation(self.learner, event)

    def _end(self) -> FitResult:
        result = self.result()
        for callback in self.callbacks:
            callback.on_end(self.learner, result)
        return result

    def _read_clock(self) -> None:
        """Take the time of the first rank, so that all agree when the budget is used up."""
        ranks = self.learner.ranks
        self.learner.seconds = ranks.total(time.monotonic() - self._began if ranks.is_first else 0.0)[0]

    def result(self) -> FitResult:
        """The result so far."""
        learner = self.learner
        return FitResult(
            step=learner.step,
            seconds=learner.seconds,
            best=dict(learner.best.nats),
            best_step=dict(learner.best.step),
            validations=tuple(self._validations),
            threads=torch.get_num_threads(),
            ranks=self.learner.ranks.count,
            stopped=self.budget.over(learner) or "interrupt",
            kinds=dict(learner.best.kinds),
        )
