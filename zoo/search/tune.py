"""Run a search: one trial after another, up to the requested number.

    search.json        the plan; a search can only be continued with the same plan
    study.journal      Optuna's record of all trials
    trials/001         the run of each trial: recipe, metrics, and checkpoints until it is complete or pruned
    bundle             the best model so far
    lock, holder.json  the lock, and the process that holds it

The bundle of a new best trial is written before the trial is recorded as complete, and its checkpoints are
removed afterwards: after a kill in between, the trial resumes and ends the same. Those of failed trials stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zoo.data import Corpus
from zoo.errors import BundleError, DataError, NonFiniteError, PluginError, Problem, UsageError, ZooError
from zoo.model.pretrained import BUNDLE
from zoo.model.sealed import CARD
from zoo.registry import Registry
from zoo.registry.entry import plugin_error
from zoo.search.memory import free_memory, is_out_of_memory
from zoo.search.space import Space
from zoo.search.store import TrialResult, TrialStore
from zoo.search.trial import TrainedTrial, discard_checkpoints, train_trial
from zoo.train.compose import save_trained
from zoo.train.events import Event
from zoo.train.lock import check_held, refuse_links
from zoo.train.metrics import MetricsFile
from zoo.train.swap import Swap

if TYPE_CHECKING:
    import optuna

TRIALS = "trials"


class Watcher(Protocol):
    """Observes a search."""

    def begin(self, number: int, chosen: Mapping[str, str]) -> None:
        """A trial starts or resumes."""

    def __call__(self, event: Event) -> None:
        """An event of the training of the trial."""

    def end(self, trial: TrialResult, best: TrialResult | None) -> None:
        """The trial has ended; `best` is the best one so far."""

    def note(self, text: str) -> None:
        """Something that a user should know."""


@dataclass(frozen=True)
class SearchResult:
    """The trials of a search.

    Attributes:
        folder: the folder of the search.
        trials: all finished trials, in order.
        importances: share of each searched key in the differences between good and other trials; the sum is
            1. Empty with few trials.
    """

    folder: Path
    trials: Sequence[TrialResult]
    importances: Mapping[str, float] = field(default_factory=dict)

    @property
    def best(self) -> TrialResult | None:
        """The complete trial with the lowest nats; None if none is complete."""
        return best_of(self.trials)

    @property
    def bundle(self) -> Path:
        """The bundle of the best trial; it is missing if it was moved away."""
        return self.folder / BUNDLE

    def ranked(self) -> list[TrialResult]:
        """Complete trials, the best first, then pruned ones, then failed ones."""
        order = ("complete", "pruned", "failed")
        return sorted(self.trials, key=lambda t: (order.index(t.state), t.nats or 0.0, t.number))


def best_of(trials: Sequence[TrialResult]) -> TrialResult | None:
    """The complete trial with the lowest nats, the first in a tie; None if none is complete."""
    complete = [trial for trial in trials if trial.state == "complete" and trial.nats is not None]
    return min(complete, key=lambda trial: trial.nats or 0.0, default=None)


def read_result(folder: Path, store: TrialStore) -> SearchResult:
    """The finished trials of a search."""
    finished = [trial for trial in store.trials() if trial.state != "running"]
    return SearchResult(folder, finished, store.importances())


@dataclass(frozen=True)
class _Failure:
    """Why a trial failed, without the error, which would keep the memory of its training."""

    problem: str
    is_out_of_memory: bool = False


@dataclass
class Tuner:
    """Runs the trials of a search, in a folder that must be locked with `lock_folder`.

    Attributes:
        space: the search space.
        corpus: the music.
        folder: the folder of the search.
        store: its trials.
        registry: where to look up parts.
        watcher: observes the search.
        again: the command that continues the search.
    """

    space: Space
    corpus: Corpus
    folder: Path
    store: TrialStore
    registry: Registry
    watcher: Watcher
    again: str
    _starved: int | None = None
    """The last trial, if it ran out of memory."""

    def run(self, trials: int) -> SearchResult:
        """Run trials until this many are finished: complete, pruned or failed.

        Raises:
            UsageError: the folder of a trial is a link.
            DataError: the music has no validation pieces, or a recipe needs something that it lacks.
            ZooError: something cannot be written; or two trials in a row ran out of memory; or no trial
                completed; holds the problems of all trials.
            KeyboardInterrupt: the search was interrupted; the running trial is saved.
        """
        if not self.corpus.split("valid").pieces:
            what = "there are no validation pieces to compare trials on"
            raise DataError(Problem(what, self.corpus.name, "add more pieces"))
        refuse_links(self.folder / TRIALS)
        finished = [trial for trial in self.store.trials() if trial.state != "running"]
        for trial in finished:
            discard_checkpoints(self._folder(trial.number), trial.steps)
        for _ in range(len(finished), trials):
            self._run_next()
        result = read_result(self.folder, self.store)
        if result.trials and result.best is None:
            problems = dict.fromkeys(trial.problem for trial in result.trials if trial.problem)
            raise ZooError(Problem("no trial completed", str(self.folder)), *problems)
        return result

    def _run_next(self) -> None:
        check_held(self.folder)
        trial = self.store.next()
        chosen = self.store.choose(trial, self.space)
        number = trial.number + 1
        self.watcher.begin(number, chosen)
        if (earlier := self._same_values(chosen)) is not None:
            nats = earlier.nats if earlier.state == "complete" else None
            ended = self.store.finish(trial, earlier.state, nats, kind=earlier.kind, repeats=earlier.number)
            self.watcher.end(ended, best_of(self.store.trials()))
            return
        try:
            swap = self.space.parse(chosen, self.registry)
        except UsageError as error:  # between the bounds, some values may not fit together
            ended = self._fail(trial, _first_line(error))
        else:
            ended = self._attempt(trial, swap, chosen)
        discard_checkpoints(self._folder(number), ended.steps)
        self.watcher.end(ended, best_of(self.store.trials()))

    def _same_values(self, chosen: Mapping[str, str]) -> TrialResult | None:
        """The first trial with the same values that was completed or pruned; None if there is none."""
        ended = (trial for trial in self.store.trials() if trial.state in ("complete", "pruned"))
        return next((trial for trial in ended if trial.chosen == chosen), None)

    def _attempt(self, trial: optuna.Trial, swap: Swap, chosen: Mapping[str, str]) -> TrialResult:
        """Train and score a trial, once more if it runs out of memory after its first validation.

        Raises:
            ZooError: this trial and the last one ran out of memory. It is not recorded as failed, so that it
                goes on when the search is continued.
        """
        number = trial.number + 1
        ended = self._try(trial, swap)
        if _is_starved(ended) and self._was_validated(number):
            self.watcher.note(f"trial {number} ran out of memory; it is tried once more from its checkpoint")
            self.watcher.begin(number, chosen)
            ended = self._try(trial, swap)
        if _is_starved(ended):
            self._refuse_second(number)
        self._starved = number if _is_starved(ended) else None
        return self._fail(trial, ended.problem) if isinstance(ended, _Failure) else ended

    def _try(self, trial: optuna.Trial, swap: Swap) -> TrialResult | _Failure:
        """Train and score a trial; an error that its values may have caused is returned."""
        free_memory()
        try:
            return self._end(trial, self._train(trial, swap))
        except (NonFiniteError, PluginError) as error:
            return _Failure(_first_line(error), is_out_of_memory(error))
        except ZooError:
            raise  # it would recur in every trial
        except Exception as error:
            if plugin_error(error) is None and not is_out_of_memory(error):
                raise
            return _Failure(_first_line(plugin_error(error) or error), is_out_of_memory(error))

    def _was_validated(self, number: int) -> bool:
        """Whether a trial got past its first validation: all that it does fits into the memory."""
        events = MetricsFile(self._folder(number)).events()
        return any("nats" in event and event.get("step", 0) > 0 for event in events)

    def _refuse_second(self, number: int) -> None:
        if self._starved is None:
            return
        what = f"trials {self._starved} and {number} ran out of memory, so no further trial is started"
        hint = f"end other processes that use the memory; continue with trial {number} by: {self.again}"
        raise ZooError(Problem(what, str(self.folder), hint))

    def _train(self, trial: optuna.Trial, swap: Swap) -> TrainedTrial:
        folder = self._folder(trial.number + 1)
        try:
            return train_trial(
                swap,
                self.corpus,
                folder,
                lambda tenth, nats: self.store.report(trial, tenth, nats),
                self.watcher,
                whole="encoder" in self.space.searched,
            )
        except BundleError as error:  # of its checkpoints
            hint = f"move or remove the folder {folder}; the same command trains this trial again"
            raise BundleError(*(replace(problem, hint=hint) for problem in error.problems)) from error

    def _end(self, trial: optuna.Trial, trained: TrainedTrial) -> TrialResult:
        """Record a trial as complete or pruned; if it is the best so far, save its model first."""
        check_held(self.folder)
        about = {"steps": trained.result.step, "seconds": round(trained.result.seconds, 1)}
        if trained.pruned:
            return self.store.finish(trial, "pruned", **about)
        nats = float(trained.score["nats"])
        best = best_of(self.store.trials())
        if best is None or best.nats is None or nats < best.nats:
            seed = trained.record["training"]["seed"]
            kept = save_trained(trained.model, self.folder / BUNDLE, trained.record, seed)
            if kept:
                self.watcher.note(f"{kept.parent / CARD} was edited; its text is now {kept.name}")
        return self.store.finish(trial, "complete", nats, kind=trained.score["kind"], **about)

    def _fail(self, trial: optuna.Trial, problem: str) -> TrialResult:
        return self.store.finish(trial, "failed", problem=problem)

    def _folder(self, number: int) -> Path:
        return self.folder / TRIALS / f"{number:03d}"


def _is_starved(ended: TrialResult | _Failure) -> bool:
    return isinstance(ended, _Failure) and ended.is_out_of_memory


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
