"""Summaries of run folders: recipe, music, progress and scores, read without torch."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo.errors import BundleError, Problem
from zoo.limits import check_file
from zoo.model.config import read_config
from zoo.model.pretrained import BUNDLE, RECIPE
from zoo.model.sealed import MANIFEST, damaged
from zoo.parts import SLOTS
from zoo.parts.kinds import MARKS, FigureKind, combined_kind
from zoo.parts.terms import OF_SCORE
from zoo.train.lock import LOCK, is_locked
from zoo.train.metrics import METRICS, MetricsFile
from zoo.train.plan import read_plan
from zoo.train.settings import TrainSettings

State = Literal["finished", "interrupted", "without weights", "running", "damaged"]
LAST, BEST = "last.safetensors", "best.safetensors"
HEADER = "zoo"
"""The entry of a checkpoint's metadata that is read; see `zoo.model.weights`."""
TRACES = {LOCK, METRICS, LAST}
"""A run folder has at least one of these files besides its recipe."""


@dataclass(frozen=True)
class RunSummary:
    """The content of a run folder.

    Attributes:
        folder: the folder.
        state: finished, interrupted, running, or damaged; or without weights, if it was stopped and has no
            checkpoint: before the first, or they were removed, as those of a trial that was pruned.
        plan: the plan, see `zoo.train.plan.plan`; empty if it cannot be read.
        step: number of steps so far.
        seconds: training time so far, over all sessions.
        best: lowest nats per frame of each term on the validation pieces.
        kinds: kind of these nats, by term; empty for older runs, which did not record it.
        versions: versions of the packages used for training; empty without a bundle.
        problems: what is damaged.
    """

    folder: Path
    state: State
    plan: Mapping[str, Any] = field(default_factory=dict)
    step: int = 0
    seconds: float = 0.0
    best: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, FigureKind] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def parts(self) -> dict[str, str]:
        """The name of each part, without its package."""
        parts = self.plan.get("parts", {})
        return {slot: parts[slot]["name"].rpartition("/")[2] for slot in SLOTS if slot in parts}

    @property
    def music(self) -> str:
        """The name of the music, without its folder."""
        from zoo.data.opening import is_named, shared_name

        path = self.plan["data"]["name"] if self.plan else ""
        return shared_name(path) if is_named(Path(path).name) else Path(path).name

    @property
    def nats(self) -> float | None:
        """The sum of the best nats of codes and keys; None before the first validation.

        A run of a study may train a single term, whose nats it is then.
        """
        return sum(self.best[term] for term in self._summed) if self.best else None

    @property
    def kind(self) -> FigureKind | None:
        """The kind of `nats`; None if that of a term is unknown."""
        if not self.best or not self.kinds.keys() >= set(self._summed):
            return None
        return combined_kind(self.kinds[term] for term in self._summed)

    @property
    def _summed(self) -> list[str]:
        return [term for term in OF_SCORE if term in self.best] or list(self.best)

    def to_json(self) -> dict[str, Any]:
        """The summary for programs."""
        return {
            "run": str(self.folder),
            "state": self.state,
            "recipe": self.plan.get("words", ""),
            "parts": self.parts,
            "data": self.music,
            "digest": self.plan.get("data", {}).get("digest", ""),
            "seed": self.plan.get("seed"),
            "steps": self.step,
            "seconds": self.seconds,
            "nats": self.nats,
            "kind": self.kind,
            "best": dict(self.best),
            "kinds": dict(self.kinds),
            "problems": [str(problem) for problem in self.problems],
        }


def find_runs(folder: Path) -> Iterator[Path]:
    """Find all run folders in a folder, including itself, in alphabetical order."""
    for place, folders, files in os.walk(folder):
        inside = set(files)
        if (RECIPE in inside and inside & TRACES) or {LAST, METRICS} <= inside:
            folders.clear()
            yield Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def summarize(folder: Path) -> RunSummary:
    """Summarize a run. Damage is reported in the summary, not raised."""
    try:
        plan = read_plan(folder)
        if plan is None:
            raise BundleError(damaged("is missing", str(folder / RECIPE)))
    except BundleError as error:
        return RunSummary(folder, "damaged", problems=tuple(error.problems))
    try:
        events = list(MetricsFile(folder).events())
        running = is_locked(folder)
        problems = () if running else tuple(_damage(folder))
        bundle = {} if running else _bundle(folder / BUNDLE)
    except BundleError as error:
        events, running, bundle, problems = [], False, {}, tuple(error.problems)
    best, kinds = _best(events)
    step = max((event["step"] for event in events), default=0)
    seconds = max((event.get("seconds") or 0.0 for event in events), default=0.0)
    if problems:
        state: State = "damaged"
    elif running:
        state = "running"
    else:
        state = "finished" if _is_finished(plan, bundle, events) else "interrupted"
        if state == "interrupted" and not (folder / LAST).exists():
            state = "without weights"
    return RunSummary(folder, state, plan, step, seconds, best, kinds, bundle.get("versions") or {}, problems)


def outdated(bundle: Path, record: Mapping[str, Any]) -> str:
    """A remark on a bundle in a run that was trained further and has not finished since; else empty.

    Args:
        bundle: its folder.
        record: the content of its configuration, or the record of its training.
    """
    run, steps = bundle.parent, (record.get("training") or {}).get("steps", 0)
    if bundle.name != BUNDLE or not ((run / RECIPE).is_file() and (run / LAST).is_file()):
        return ""
    with suppress(BundleError):
        reached = _metadata(run / LAST).get("step")
        if isinstance(reached, int) and reached > steps:
            return (
                f"{bundle} is the model of step {steps:,}, but its run has reached step {reached:,}; "
                f"`zoo train -o {shlex.quote(str(run))} --resume` finishes the run and writes the new model"
            )
    return ""


def _best(events: list[dict[str, Any]]) -> tuple[dict[str, float], dict[str, FigureKind]]:
    """The lowest nats of each term, and their kinds."""
    best: dict[str, float] = {}
    kinds: dict[str, FigureKind] = {}
    for event in events:
        for term, nats in event.get("nats", {}).items():
            if isinstance(nats, int | float) and nats < best.get(term, float("inf")):
                best[term] = nats
                kinds.pop(term, None)
                if (kind := (event.get("kinds") or {}).get(term)) in list(MARKS):
                    kinds[term] = kind
    return best, kinds


def _damage(folder: Path) -> Iterator[Problem]:
    """A problem for each checkpoint that is damaged or missing, so that `Run.resume` would fail."""
    metadata: dict[str, dict[str, Any]] = {}
    for name in (BEST, LAST):
        if (folder / name).exists():
            try:
                metadata[name] = _metadata(folder / name)
            except BundleError as error:
                yield from error.problems
                return
    if BEST in metadata and LAST not in metadata:
        yield damaged("is missing", str(folder / LAST))
    if LAST in metadata and metadata[LAST].get("validated", -1) >= 0 and BEST not in metadata:
        yield damaged("is missing", str(folder / BEST))


def _metadata(path: Path) -> dict[str, Any]:
    """The metadata of a checkpoint, after checking that the file is as long as its header says.

    Raises:
        BundleError: the file is damaged, truncated, or not a checkpoint.
    """
    from safetensors import safe_open

    try:
        check_file(path, "checkpoint")
        with safe_open(path, "np") as file:
            metadata: dict[str, Any] = json.loads(file.metadata()[HEADER])["about"]
            if type(metadata.get("validated", -1)) is not int:
                raise TypeError
            return metadata
    except Exception as error:  # a parser may raise anything on arbitrary bytes
        raise BundleError(damaged("is damaged, cut short, or not a safetensors file", str(path))) from error


def _bundle(folder: Path) -> dict[str, Any]:
    """The content of a bundle's config.json; empty without a bundle.

    Raises:
        BundleError: the bundle is damaged.
    """
    if not (folder / MANIFEST).is_file():
        return {}
    return read_config(folder)


def _is_finished(plan: Mapping[str, Any], bundle: Mapping[str, Any], events: list[dict[str, Any]]) -> bool:
    """Whether the bundle has the last step; in studies, which have no bundles, if the budget is used up."""
    step = max((event["step"] for event in events), default=0)
    if bundle:
        return bool((bundle.get("training") or {}).get("steps", step) >= step)
    seconds = max((event.get("seconds") or 0.0 for event in events), default=0.0)
    if not events or events[-1].get("event") != "validated":
        return False
    if step == 0 and not plan.get("origins"):
        return True  # no part learns by gradient: only trained weights are validated before the first step
    train = plan["train"]
    if train.get("minutes"):
        return bool(seconds >= 60 * train["minutes"]) or _is_stale(train, events)
    return bool(train.get("steps") and step >= train["steps"]) or _is_stale(train, events)


def _is_stale(train: Mapping[str, Any], events: list[dict[str, Any]]) -> bool:
    """Whether nothing got better for as long as patience lasts."""
    validated = [event for event in events if event.get("event") == "validated"]
    newest = max((event["step"] for event in validated if event.get("improved")), default=0)
    wait = TrainSettings.model_construct(**train).wait
    return bool(0 < wait <= validated[-1]["step"] - newest)
