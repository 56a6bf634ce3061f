"""The training budget: how much of it is used, and when training ends."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.train.learner import Learner
from zoo.train.settings import TrainSettings


@dataclass(frozen=True)
class Budget:
    """The training budget.

    Attributes:
        settings: its minutes, epochs or steps, and the patience.
        epoch: number of steps per epoch.
    """

    settings: TrainSettings
    epoch: int

    @property
    def steps(self) -> int | None:
        """The number of steps, or None if the budget is a time."""
        return self.settings.target(self.epoch)

    @property
    def seconds(self) -> float | None:
        """The training time, or None if the budget is a number of steps."""
        return self.settings.minutes and self.settings.minutes * 60

    def used(self, learner: Learner) -> float:
        """The fraction of the budget that is used, from 0; a step may end after 1."""
        if self.steps is None:
            return learner.seconds / (self.seconds or 1)
        return learner.step / self.steps

    def is_over(self, learner: Learner) -> bool:
        """Whether training ends: the budget or the patience is used up, or there is nothing to train."""
        return not learner.learns or learner.should_stop or self._is_stale(learner) or self.used(learner) >= 1

    def _is_stale(self, learner: Learner) -> bool:
        """Whether no term has improved for as many validations as patience lasts."""
        latest = max(learner.best.step.values(), default=learner.validated)
        waited = learner.validated - latest
        return 0 < self.settings.patience * self.settings.validate_every <= waited
