"""The stored trials of a search: an Optuna study in a journal, one line for each change.

Every line is flushed to disk before training goes on, so a search that is killed loses no finished trial. A
last line that was cut short is dropped. A trial that was running resumes with its stored values, from its
last checkpoint.

Values depend only on the seed, the number of the trial and the trials before it, so a search that was killed
and continued tries the same values as an uninterrupted one, if its budget is in steps or epochs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import BundleError, Problem, ZooError
from zoo.files import write_file, writing
from zoo.limits import read_bytes
from zoo.model.random import seed_of
from zoo.model.sealed import damaged
from zoo.parts.kinds import MARKS, FigureKind
from zoo.search.space import Space

if TYPE_CHECKING:
    import optuna

JOURNAL = "study.journal"
NAME = "polyzoo"
"""The name of the study in the journal."""
WARM_UP = 3
"""No trial is pruned in the first three tenths of its budget."""
ENOUGH = 20
"""Number of complete trials below which importances would be noise."""

State = Literal["complete", "pruned", "failed", "running"]
STATES: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class TrialResult:
    """A trial.

    Attributes:
        number: its number, from 1.
        state: complete, pruned, failed or running.
        chosen: key -> value of what was searched, as typed in a recipe.
        nats: nats per frame of the validation pieces; for a pruned trial, those at its last report, without
            the residual unless encoders are searched.
        kind: the kind of the nats of a complete trial.
        steps: number of training steps.
        seconds: training time.
        problem: why it failed.
        repeats: number of an earlier trial with the same values, whose outcome this one has without being
            trained; 0 if there is none.
    """

    number: int
    state: State
    chosen: Mapping[str, str] = field(default_factory=dict)
    nats: float | None = None
    kind: FigureKind | None = None
    steps: int = 0
    seconds: float = 0.0
    problem: str = ""
    repeats: int = 0

    @property
    def words(self) -> str:
        """The chosen values as words of a recipe."""
        return " ".join(f"{key}={text}" for key, text in self.chosen.items())


def import_optuna() -> Any:
    """Import Optuna and silence its log.

    Raises:
        ZooError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        what = "a search over settings needs optuna, which is not installed"
        raise ZooError(Problem(what, "zoo tune", "pip install 'polyzoo[tune]'")) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class TrialStore:
    """The trials of a search, in a folder that must be locked with `lock_folder`.

    Args:
        folder: the folder of the search.
        seed: seed of the choice of values.

    Raises:
        BundleError: the journal is damaged.
        ZooError: Optuna is not installed, or the journal cannot be written.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._optuna, self._seed, self._path = import_optuna(), seed, folder / JOURNAL
        _drop_partial_line(self._path)
        with self._using(), self._damage("is not an Optuna journal"):
            self._study: optuna.Study = self._open()
            stored = self._study.get_trials(deepcopy=False)
            trials = self.trials()
            directions = [direction.name for direction in self._study.directions]
        if directions != ["MINIMIZE"]:
            raise BundleError(damaged("is the journal of another kind of search", str(self._path)))
        reports = [trial.intermediate_values for trial in stored]
        bad = [t.number for t, report in zip(trials, reports, strict=True) if not _is_valid(t, report)]
        if bad:
            raise BundleError(damaged(f"trial {bad[0]} is damaged", str(self._path)))

    def trials(self) -> list[TrialResult]:
        """All trials, in order."""
        with self._using():
            return [_result(trial) for trial in self._study.get_trials(deepcopy=False)]

    def next(self) -> optuna.Trial:
        """The trial that was running when the search was stopped, or a new one."""
        with self._using():
            running = self._optuna.trial.TrialState.RUNNING
            stopped = self._study.get_trials(deepcopy=False, states=(running,))
            number = stopped[0].number if stopped else len(self._study.get_trials(deepcopy=False))
            self._study.sampler = self._sampler(number)
            if not stopped:
                return self._study.ask()
            # No public function returns the trial of an earlier process.
            trial: optuna.Trial = self._optuna.trial.Trial(self._study, stopped[0]._trial_id)
            return trial

    def choose(self, trial: optuna.Trial, space: Space) -> dict[str, str]:
        """Choose the values of a trial; values that are already stored are kept.

        Raises:
            BundleError: the stored values are not values of the space.
        """
        what = f"trial {trial.number + 1} has other values than this search"
        with self._using(), self._damage(what):
            # Parameters that are drawn jointly come first. All others have a seed of their own, so that a
            # search that was killed between two of them draws the rest as it would have.
            _ = trial.relative_params
            chosen: dict[str, str] = {}
            for key in space.searched:
                self._study.sampler = self._sampler(trial.number, key)
                if (text := space.suggest(key, trial, chosen)) is not None:
                    chosen[key] = text
            if not space.contains(chosen):
                raise ValueError(chosen)
            trial.set_user_attr("chosen", chosen)
            return chosen

    def report(self, trial: optuna.Trial, tenth: int, nats: float) -> bool:
        """Store the score of a trial at some tenth of its budget; returns whether to prune it.

        It is pruned if, at this tenth, at least half of the complete trials were better.
        """
        with self._using():
            # A tenth that was reported before the search was stopped keeps its value.
            trial.report(nats, tenth)
            return bool(trial.should_prune())

    def finish(
        self, trial: optuna.Trial, state: State, nats: float | None = None, **about: Any
    ) -> TrialResult:
        """Store the end of a trial.

        Args:
            trial: the trial.
            state: complete, pruned or failed.
            nats: its score, if it is complete.
            about: fields of `TrialResult`.
        """
        with self._using():
            for name, value in about.items():
                trial.set_user_attr(name, value)
            names = {state: name for name, state in STATES.items()}
            return _result(self._study.tell(trial, nats, self._optuna.trial.TrialState[names[state]]))

    def importances(self) -> dict[str, float]:
        """Share of each searched key in the differences between good and other trials; the sum is 1.

        Empty with few complete trials, if all are equally good, or with a version of Optuna that cannot
        compute it without scikit-learn.
        """
        complete = [trial for trial in self.trials() if trial.state == "complete" and not trial.repeats]
        if len(complete) < ENOUGH or len({trial.nats for trial in complete}) < 2:
            return {}
        with self._using():
            evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
            shares = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
            return {name: float(share) for name, share in shares.items()}

    def _open(self) -> Any:
        storages = self._optuna.storages
        backend = storages.journal.JournalFileBackend(str(self._path), lock_obj=_HeldLock())
        return self._optuna.create_study(
            storage=storages.JournalStorage(backend),
            study_name=NAME,
            load_if_exists=True,
            pruner=self._optuna.pruners.MedianPruner(n_warmup_steps=WARM_UP),
        )

    def _sampler(self, number: int, key: str = "") -> Any:
        return self._optuna.samplers.TPESampler(seed=seed_of(self._seed, "tune", number, key) % 2**32)

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Use Optuna without its warnings, and explain the errors of a full disk."""
        with warnings.catch_warnings(), writing(self._path):
            warnings.simplefilter("ignore")
            yield

    @contextmanager
    def _damage(self, what: str) -> Iterator[None]:
        """Turn the errors of Optuna for a damaged journal in the block into a `BundleError`."""
        try:
            yield
        except (
            ArithmeticError,
            AssertionError,
            AttributeError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise BundleError(damaged(what, str(self._path))) from error


class _HeldLock:
    """Does nothing: the folder is already locked, and the system releases that lock after a kill."""

    def acquire(self) -> bool:
        """Nothing to acquire."""
        return True

    def release(self) -> None:
        """Nothing to release."""


def _drop_partial_line(path: Path) -> None:
    """Drop a last line that was cut short by a kill or a full disk."""
    if not path.exists():
        return
    content = read_bytes(path, "journal")
    if not content.endswith(b"\n") and content:
        write_file(path, content[: content.rfind(b"\n") + 1])


def _is_valid(trial: TrialResult, reports: Mapping[Any, Any]) -> bool:
    """Whether a stored trial has the types of `TrialResult`, and a score if it is complete.

    Args:
        trial: the trial.
        reports: tenth of the budget -> nats that it reported.
    """
    texts = [trial.problem, *(trial.chosen.values() if isinstance(trial.chosen, dict) else [None])]
    numbers = [
        trial.steps,
        trial.seconds,
        trial.repeats,
        *reports.values(),
        *([] if trial.nats is None else [trial.nats]),
    ]
    counts = (trial.steps, trial.seconds, trial.repeats)
    is_scored = trial.nats is not None and isinstance(trial.kind, str) and trial.kind in MARKS
    return (
        all(isinstance(text, str) for text in texts)
        and type(trial.repeats) is int
        and all(type(number) in (int, float) and isfinite(number) for number in numbers)
        and min(counts) >= 0
        and trial.repeats < trial.number
        and all(type(tenth) is int for tenth in reports)
        and (is_scored or trial.state != "complete")
    )


def _result(trial: optuna.trial.FrozenTrial) -> TrialResult:
    about = trial.user_attrs
    return TrialResult(
        number=trial.number + 1,
        state=STATES.get(trial.state.name, "running"),
        chosen=about.get("chosen", {}),
        nats=trial.value,
        kind=about.get("kind"),
        steps=about.get("steps", 0),
        seconds=about.get("seconds", 0.0),
        problem=about.get("problem", ""),
        repeats=about.get("repeats", 0),
    )
