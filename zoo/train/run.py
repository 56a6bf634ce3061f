"""The run folder: a training that can be killed at any moment and goes on exactly where it was.

    recipe.json         what is trained on what; a run is resumed with the same or not at all
    metrics.jsonl       a line for each step and each validation
    last.safetensors    where training stands: weights, the optimiser's memory, the step
    best.safetensors    each term's best weights
    lock, holder.json   one process trains here at a time, and this one does
    nonfinite.json      where a value that is no finite number came up, if one did

A checkpoint is one file, so that one rename replaces all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import inf, isfinite
from pathlib import Path
from typing import Any

from zoo.errors import BundleError, NonFiniteError, Problem, UsageError
from zoo.files import flush, write_file, writing
from zoo.limits import HEADER
from zoo.model.format import check_format
from zoo.model.pretrained import RECIPE
from zoo.model.sealed import damaged
from zoo.model.weights import Weights, digest, not_finite, pack, read_weights
from zoo.train.events import Stepped, Validated
from zoo.train.learner import Learner
from zoo.train.metrics import MetricsFile, event_of
from zoo.train.plan import begun_plan, differences

FORMAT = 1
NUMBERS = {"last": ("step", "seconds", "validated"), "best": ("nats", "step")}
"""What a checkpoint says besides weights: numbers, of the best weights one for each term."""


class Run:
    """A run in its folder, which must be `claimed`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = MetricsFile(folder)

    @property
    def is_saved(self) -> bool:
        """Whether there is anything to go on from."""
        return (self.folder / "last.safetensors").exists()

    def begin(self, plan: Mapping[str, Any], *, resume: bool) -> None:
        """Put down what is trained on what, unless something else was begun here.

        Raises:
            UsageError: another run was begun here, or this one was and is not to be resumed.
            BundleError: the record of the run cannot be read.
        """
        begun = begun_plan(self.folder)
        if begun is not None:
            changed = differences(begun, plan)
            if changed:
                other = Problem("holds a run of another recipe", str(self.folder), "name a new folder")
                raise UsageError(other, *changed)
            if not resume:
                hint = "--resume goes on with it, a new folder begins another"
                raise UsageError(Problem("holds a run of this recipe", str(self.folder), hint))
        write_file(self.folder / RECIPE, json.dumps(plan, indent=2) + "\n")

    def resume(self, learner: Learner) -> bool:
        """Bring a fresh learner to where the run stands; False where it has not begun.

        Raises:
            BundleError: a checkpoint is missing or damaged, or does not fit the parts that are here.
        """
        model = sum(tensor.nbytes for tensor in learner.model.state_dict().values())
        # Adam keeps two numbers for each weight and how often it changed it, and there may be an average.
        most = HEADER + 5 * model
        best, last = self._load("best", most), self._load("last", most)
        if best is None and last is not None and last.about["validated"] >= 0:
            raise BundleError(damaged("is missing", str(self.folder / "best.safetensors")))
        if best is not None and last is None:
            hint = f"put it back, or begin again in a new folder; core=@{self.folder} takes the best weights"
            what = "is missing, so the run cannot go on where it was"
            raise BundleError(Problem(what, str(self.folder / "last.safetensors"), hint))
        if best is not None:
            learner.best.tensors = best.tensors
            learner.best.nats = best.about["nats"]
            learner.best.step = best.about["step"]
        if last is not None:
            learner.restore(last, str(self.folder / "last.safetensors"))
        self._forget_after(learner.step, learner.validated)
        return last is not None

    def save(self, learner: Learner) -> None:
        """Keep where training stands; the metrics up to there reach the disk before it does."""
        if self.metrics.path.exists():
            flush(self.metrics.path)
        self._save("last", learner.state())

    def save_best(self, learner: Learner) -> None:
        """Keep the best weights."""
        best = learner.best
        self._save("best", Weights(best.tensors, {"nats": best.nats, "step": best.step}))

    def best(self) -> Weights | None:
        """The best weights; None where none were kept yet.

        Raises:
            BundleError: the checkpoint is damaged, or from a newer version.
        """
        return self._load("best")

    def note(self, event: Stepped | Validated) -> None:
        """Add a line to the metrics."""
        with writing(self.metrics.path), self.metrics.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"event": type(event).__name__.lower(), **asdict(event)}) + "\n")

    def validations(self, term: str) -> list[tuple[int, float]]:
        """The learning curve of a term: after which step how many nats per frame of the validation pieces."""
        return self.metrics.validations(term)

    def report(self, content: Mapping[str, Any]) -> Path:
        """Keep what leads to a value that is not a finite number."""
        path = self.folder / "nonfinite.json"
        write_file(path, json.dumps(content, indent=2) + "\n")
        return path

    def _save(self, name: str, weights: Weights) -> None:
        path = self.folder / f"{name}.safetensors"
        if bad := not_finite(weights.tensors):
            what = f"{', '.join(bad)} are not all finite, so the checkpoint before is kept"
            raise NonFiniteError(Problem(what, str(path), "lower train.lr"))
        about = {"format": FORMAT, "weights": digest(weights.tensors), **weights.about}
        write_file(path, pack(Weights(weights.tensors, about)))

    def _load(self, name: str, most: int | None = None) -> Weights | None:
        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            return None
        weights = read_weights(path, "checkpoint", most)
        writer = (begun_plan(self.folder) or {}).get("polyzoo")
        check_format(weights.about.get("format"), FORMAT, str(path), writer)
        if not all(_is_number(weights.about.get(key)) for key in NUMBERS[name]):
            raise BundleError(damaged("does not say where training stands", str(path)))
        return weights

    def _forget_after(self, step: int, validated: int) -> None:
        """Drop the lines of what will be done again, and those that a kill or a disk has damaged."""
        if self.metrics.path.exists():
            events = ((line, event_of(line)) for line in self.metrics.lines())
            kept = (
                line
                for line, event in events
                if event.get("step", inf) <= (validated if "nats" in event else step)
            )
            write_file(self.metrics.path, b"".join(line + b"\n" for line in kept))


def _is_number(value: Any) -> bool:
    """Whether a value is a number or a table of numbers."""
    values = value.values() if isinstance(value, dict) else [value]
    return all(type(number) in (int, float) and isfinite(number) for number in values)
