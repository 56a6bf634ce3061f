"""The callbacks that write a run folder: metrics and checkpoints."""

from __future__ import annotations

from zoo.errors import NonFiniteError, Problem
from zoo.train.batches import TrainingBatches
from zoo.train.callback import Callback
from zoo.train.events import FitResult, Started, Stepped, Validated
from zoo.train.learner import Learner
from zoo.train.run import Run

SAVE_EVERY = 60.0
"""Maximum number of seconds between two checkpoints; each validation saves one too."""


class Metrics(Callback):
    """Appends a line to `metrics.jsonl` after each step and each validation."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def on_step_end(self, learner: Learner, event: Stepped) -> None:
        """Append the losses of a step."""
        self._run.note(event)

    def on_validation(self, learner: Learner, event: Validated) -> None:
        """Append the scores of a validation."""
        self._run.note(event)


class Checkpoints(Callback):
    """Saves the training state from time to time, and the best weights.

    Args:
        run: the run folder.
        batches: the training batches, to report those of a step that failed.
        seed: the seed of the training, for the same report.
    """

    def __init__(self, run: Run, batches: TrainingBatches, seed: int) -> None:
        self._run, self._batches, self._seed = run, batches, seed
        self._saved = 0.0
        self._step = 0

    def on_start(self, learner: Learner, event: Started) -> None:
        """Start the clock of the checkpoints."""
        self._saved, self._step = learner.seconds, learner.step

    def on_step_end(self, learner: Learner, event: Stepped) -> None:
        """Save if `SAVE_EVERY` seconds have passed since the last checkpoint."""
        if learner.seconds - self._saved > SAVE_EVERY:
            self._save(learner)

    def on_validation(self, learner: Learner, event: Validated) -> None:
        """Save, and keep the best weights if any improved."""
        if event.improved or not event.nats:
            self._run.save_best(learner)
        self._save(learner)

    def on_error(self, learner: Learner, error: NonFiniteError) -> None:
        """Save the state before the step, and write a report on its fragments.

        Raises:
            NonFiniteError: the same error, with the path of the report.
        """
        self._save(learner)
        path = self._run.report(
            {
                "step": learner.step + 1,
                "seed": self._seed,
                "problems": [problem.what for problem in error.problems],
                "fragments": self._batches.places(learner.step).tolist(),
                "semitones": self._batches.shifts(learner.step).tolist(),
            }
        )
        what = f"resuming takes the same step again; its fragments are listed in {path.name}"
        raise NonFiniteError(*error.problems, Problem(what, str(self._run.folder))) from error

    def on_end(self, learner: Learner, result: FitResult) -> None:
        """Save if there are steps since the last checkpoint."""
        if learner.step != self._step:
            self._save(learner)

    def _save(self, learner: Learner) -> None:
        self._saved, self._step = learner.seconds, learner.step
        self._run.save(learner)
