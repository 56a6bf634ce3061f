"""The training budget: how much of it is used, and when training ends."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.train.events import Stop
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

    def over(self, learner: Learner) -> Stop | None:
        """Why training ends now; None if it goes on.

        Budget and patience depend on what a checkpoint contains alone: a resumed run stops at the same step.
        """
        if not learner.learns:
            return "nothing to train"
        if self.used(learner) >= 1:
            return "budget"
        if learner.should_stop:
            return "callback"
        return "patience" if self._is_stale(learner) else None

    def _is_stale(self, learner: Learner) -> bool:
        """Whether no term has improved for as many steps as patience lasts; never without scores."""
        latest = max(learner.best.step.values(), default=learner.validated)
        return 0 < self.settings.wait <= learner.validated - latest
