"""One trial of a search: train a model with the chosen values, and score it on the validation pieces."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.data import Corpus
from zoo.errors import BundleError, UsageError
from zoo.measure.evaluator import evaluate
from zoo.measure.validation import validation_pieces, with_score
from zoo.model.model import Model
from zoo.parts.terms import OF_SCORE
from zoo.train.assemble import assemble, origins
from zoo.train.callback import Callback
from zoo.train.events import FitResult, Listen, Started, Validated
from zoo.train.fit import fit
from zoo.train.learner import Learner
from zoo.train.lock import lock_folder
from zoo.train.proposals import propose
from zoo.train.record import record
from zoo.train.run import Run
from zoo.train.swap import Swap

Report = Callable[[int, float], bool]
"""Takes a tenth of the budget and the best nats so far, and returns whether to prune the trial."""
CHECKPOINTS = ("last.safetensors", "best.safetensors")


@dataclass(frozen=True)
class TrainedTrial:
    """A trial after training.

    Attributes:
        model: the model with its best weights.
        result: the result of training.
        record: the training record, with the score on the validation pieces unless the trial was pruned.
        pruned: whether it was pruned.
    """

    model: Model
    result: FitResult
    record: dict[str, Any]
    pruned: bool

    @property
    def score(self) -> dict[str, Any]:
        """The score of `zoo evaluate` on the validation pieces: `nats`, `kind` and more."""
        score: dict[str, Any] = self.record["scores"]["validation_score"]
        return score


def train_trial(
    swap: Swap, corpus: Corpus, folder: Path, report: Report, listen: Listen | None, *, whole: bool
) -> TrainedTrial:
    """Train a trial in its run folder, from its last checkpoint if there is one.

    Args:
        swap: the recipe with the chosen values, and the trained parts to start from.
        corpus: the music; it must have validation pieces.
        folder: the folder of the run.
        report: called at validations; decides whether the trial goes on.
        listen: called with the events of training.
        whole: whether to report whole scores, with the residual, since encoders differ between trials.

    Raises:
        UsageError, PluginError: the parts cannot be built with these values.
        NonFiniteError: a value became NaN or infinite.
        DataError: the recipe needs something that the music lacks.
        BundleError: the run in the folder is damaged, or was trained with another budget.
        KeyboardInterrupt: the search was interrupted; the run is saved.
    """
    recipe, _ = propose(swap.recipe if swap.sources else swap.recipe.on_grid(corpus.grid))
    seed, settings = recipe.values["seed"], recipe.sections["train"]
    model = assemble(replace(swap, recipe=recipe), seed)
    part_origins = origins(swap, model)
    pruning = Pruning(report, validation_pieces(corpus, settings) if whole else None)
    with lock_folder(folder):
        result = fit(
            model,
            corpus,
            settings,
            Run(folder, fixed=True),
            listen,
            seed,
            resume=True,
            origins=part_origins,
            callbacks=[pruning],
        )
    model.cpu()
    about = record(result, corpus, settings, seed, part_origins)
    if not pruning.pruned:
        about = with_score(about, model, corpus, settings, seed)
    return TrainedTrial(model, result, about, pruning.pruned)


def discard_checkpoints(folder: Path, steps: float) -> None:
    """Remove the checkpoints of a finished trial, which take several times the space of its model.

    They are kept if they are damaged, or if the trial is or was trained further than for the search. Those of
    a failed trial are kept unless they have only its initial weights.

    Args:
        folder: the run of the trial.
        steps: how many steps it was trained for the search; 0 if it failed.
    """
    if not any((folder / name).exists() for name in CHECKPOINTS):
        return
    with suppress(UsageError, BundleError), lock_folder(folder):
        if Run(folder).saved_steps() <= steps:
            for name in CHECKPOINTS:
                (folder / name).unlink(missing_ok=True)


class Pruning(Callback):
    """Reports the best nats at each tenth of the budget, and ends training if the trial is pruned.

    Tenths, not steps, are compared, because with a budget in minutes some trials take more steps than others.

    Args:
        report: stores the nats; decides whether the trial goes on.
        pieces: validation pieces whose residual is added to the nats; None to leave it out.

    Attributes:
        pruned: whether the trial was pruned.
    """

    def __init__(self, report: Report, pieces: Corpus | None) -> None:
        self._report, self._pieces = report, pieces
        self._started: Started | None = None
        self._residual: float | None = None
        self.pruned = False

    def on_start(self, learner: Learner, event: Started) -> None:
        """Store the budget; if the search was stopped at a validation, repeat its decision."""
        self._started = event
        if learner.validated >= 0:
            self._decide(learner, learner.validated, learner.seconds)

    def on_validation(self, learner: Learner, event: Validated) -> None:
        """Report the best nats so far."""
        self._decide(learner, event.step, event.seconds)

    def _decide(self, learner: Learner, step: int, seconds: float) -> None:
        tenth = self._tenth(step, seconds)
        nats = sum(learner.best.nats.get(term, 0.0) for term in OF_SCORE)
        if tenth < 10 and self._report(tenth, nats + self._residual_of(learner)):
            self.pruned = learner.should_stop = True

    def _tenth(self, step: int, seconds: float) -> int:
        assert self._started is not None
        if self._started.steps is not None:
            return 10 * step // self._started.steps
        return int(10 * seconds / (self._started.seconds or 1))

    def _residual_of(self, learner: Learner) -> float:
        """The residual in nats per frame; training does not change it."""
        if self._pieces is None:
            return 0.0
        if self._residual is None:
            evaluation = evaluate(learner.model, self._pieces)
            known = "residual" in evaluation.terms
            self._residual = evaluation.figure("residual").value if known else 0.0
        return self._residual
