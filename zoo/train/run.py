"""The run folder, from which training resumes exactly, even if it was killed.

    recipe.json         the plan; a run can only be resumed with the same plan
    metrics.jsonl       a line for each step and each validation
    last.safetensors    the latest checkpoint: weights, optimizer states, step
    best.safetensors    the best weights of each term
    lock, holder.json   the lock, and the process that holds it
    nonfinite.json      the step at which a value became NaN or infinite, if any

Each checkpoint is a single file, so that it is replaced atomically by a rename. `best` is written before
`last`: after a kill in between, the steps since the previous `last` are repeated and give the same `best`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from zoo.errors import BundleError, NonFiniteError, Problem, UsageError
from zoo.files import flush, write_file, writing
from zoo.limits import HEADER
from zoo.model.config import MOST, Count, StrictModel
from zoo.model.format import check_format
from zoo.model.pretrained import BUNDLE, RECIPE
from zoo.model.sealed import damaged
from zoo.model.weights import Weights, digest, not_finite, pack, read_weights, restore
from zoo.parts.kinds import Kind
from zoo.parts.terms import Term
from zoo.train.events import Stepped, Validated
from zoo.train.learner import Learner
from zoo.train.lock import check_held
from zoo.train.metrics import MetricsFile, parse_event
from zoo.train.plan import differences, is_continued, read_plan

FORMAT = 1


class _Last(StrictModel):
    """What `last` says besides weights."""

    step: Count
    seconds: Annotated[float, Field(ge=0, le=MOST)]
    validated: Annotated[int, Field(ge=-1, le=MOST)]


class _Best(StrictModel):
    """What `best` says besides weights, by term."""

    nats: dict[Term, float]
    step: dict[Term, Count]
    kinds: dict[Term, Kind] = Field(default_factory=dict)


PROGRESS: dict[str, type[StrictModel]] = {"last": _Last, "best": _Best}


class Run:
    """A run in its folder, which must be locked with `lock_folder`.

    Nothing is written if another folder has taken its place; this is an error, see `check_held`.

    Args:
        folder: the folder.
        fixed: whether the budget and the patience must be those that the run was started with, as in studies
            and searches, which compare trainings of equal budgets.

    Attributes:
        folder: the folder.
        metrics: its metrics.
        continued: after `begin`, whether the run was resumed with another budget or patience.
    """

    def __init__(self, folder: Path, *, fixed: bool = False) -> None:
        self.folder = folder
        self.metrics = MetricsFile(folder)
        self.continued = False
        self._fixed = fixed

    @property
    def is_saved(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return (self.folder / "last.safetensors").exists()

    def begin(self, plan: Mapping[str, Any], *, resume: bool) -> None:
        """Write the plan of the run.

        Raises:
            UsageError: the folder contains a run with another plan, or a run with this plan and `resume` is
                false.
            BundleError: the plan in the folder is damaged, or has another budget and the run is `fixed`.
        """
        check_held(self.folder)
        stored_plan = read_plan(self.folder)
        if stored_plan is not None:
            changed = differences(stored_plan, plan)
            if changed:
                what = "contains a run of another recipe"
                raise UsageError(Problem(what, str(self.folder), "choose a new folder"), *changed)
            if not resume:
                hint = "use --resume to continue it, or choose a new folder"
                raise UsageError(Problem("already contains this run", str(self.folder), hint))
            self.continued = is_continued(stored_plan, plan)
            if self._fixed and self.continued:
                what = "this run was trained with another budget or patience than it would have here"
                raise BundleError(Problem(what, str(self.folder), "move it to another folder"))
        content = {**plan, "continued": self.continued}
        write_file(self.folder / RECIPE, json.dumps(content, indent=2) + "\n")

    def resume(self, learner: Learner) -> bool:
        """Restore a new learner from the latest checkpoint; returns False if there is none yet.

        Raises:
            BundleError: a checkpoint that was written is missing or damaged, or does not fit the model.
        """
        model_size = sum(tensor.nbytes for tensor in learner.model.state_dict().values())
        # Weights, two moments of Adam, the average, and step counts: anything larger is not this model's.
        limit = HEADER + 5 * model_size
        best, last = self._load("best", limit), self._load("last", limit)
        if (
            best is None
            and last is None
            and ((self.folder / BUNDLE).exists() or self.metrics.had_checkpoints())
        ):
            bundle = self.folder / BUNDLE
            further = f"train its model further: zoo train {shlex.quote(str(bundle))} data=MUSIC -o NEW"
            hint = f"restore them, or {further if bundle.exists() else 'train in a new folder'}"
            what = "the checkpoints are missing, so the run cannot be resumed"
            raise BundleError(Problem(what, str(self.folder), hint))
        if best is None and last is not None and last.about["validated"] >= 0:
            raise BundleError(damaged("is missing", str(self.folder / "best.safetensors")))
        if best is not None and last is None:
            best_weights = shlex.quote(f"core=@{self.folder}")
            hint = f"restore it, or start from the best weights in a new folder with {best_weights}"
            what = "is missing, so the run cannot be resumed"
            raise BundleError(Problem(what, str(self.folder / "last.safetensors"), hint))
        if best is not None:
            # Into the model, as at the end of training: weights that do not fit would be noticed only there.
            restore(learner.model, best.tensors, str(self.folder / "best.safetensors"))
            learner.best.tensors = best.tensors
            learner.best.nats = best.about["nats"]
            learner.best.step = best.about["step"]
            learner.best.kinds = best.about.get("kinds", {})
        if last is not None:
            learner.restore(last, str(self.folder / "last.safetensors"))
        self._truncate_metrics(learner.step, learner.validated)
        return last is not None

    def save(self, learner: Learner) -> None:
        """Write the latest checkpoint."""
        # Metrics first: after a power failure they may have too many lines, which `resume` drops, but never
        # too few.
        if self.metrics.path.exists():
            flush(self.metrics.path)
        self._save("last", learner.state())

    def save_best(self, learner: Learner) -> None:
        """Write the best weights."""
        best = learner.best
        about = {"nats": best.nats, "step": best.step, "kinds": best.kinds}
        self._save("best", Weights(best.tensors, about))

    def best(self) -> Weights | None:
        """Read the best weights; None if there are none yet.

        Raises:
            BundleError: the checkpoint is damaged, or from a newer version.
        """
        return self._load("best")

    def saved_steps(self) -> int:
        """The number of steps at the latest checkpoint; 0 if there is none.

        Raises:
            BundleError: it is damaged, or from a newer version.
        """
        last = self._load("last")
        return 0 if last is None else int(last.about["step"])

    def note(self, event: Stepped | Validated) -> None:
        """Append an event to the metrics."""
        check_held(self.folder)
        with writing(self.metrics.path), self.metrics.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"event": type(event).__name__.lower(), **asdict(event)}) + "\n")

    def validations(self, term: str) -> list[tuple[int, float]]:
        """The learning curve of a term: (step, nats per frame of the validation pieces)."""
        return self.metrics.validations(term)

    def report(self, content: Mapping[str, Any]) -> Path:
        """Write the report on a value that is not finite."""
        check_held(self.folder)
        path = self.folder / "nonfinite.json"
        write_file(path, json.dumps(content, indent=2) + "\n")
        return path

    def _save(self, name: str, weights: Weights) -> None:
        path = self.folder / f"{name}.safetensors"
        if invalid := not_finite(weights.tensors):
            what = f"{', '.join(invalid)} are not all finite, so the previous checkpoint is kept"
            raise NonFiniteError(Problem(what, str(path), "lower train.lr"))
        check_held(self.folder)
        metadata = {"format": FORMAT, "weights": digest(weights.tensors), **weights.about}
        write_file(path, pack(Weights(weights.tensors, metadata)))

    def _load(self, name: str, limit: int | None = None) -> Weights | None:
        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            return None
        weights = read_weights(path, "checkpoint", limit)
        writer = (read_plan(self.folder) or {}).get("polyzoo")
        check_format(weights.about.get("format"), FORMAT, str(path), writer)
        try:
            PROGRESS[name].model_validate(weights.about)
        except ValidationError:
            raise BundleError(damaged("has no training progress", str(path))) from None
        return weights

    def _truncate_metrics(self, step: int, validated: int) -> None:
        """Drop the lines of steps that will be repeated, and damaged lines."""
        if self.metrics.path.exists():
            events = ((line, parse_event(line)) for line in self.metrics.lines())
            remaining = (
                line
                for line, event in events
                if event.get("step", inf) <= (validated if "nats" in event else step)
            )
            write_file(self.metrics.path, b"".join(line + b"\n" for line in remaining))
