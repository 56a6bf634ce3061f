"""Summaries of run folders: what was trained on what, how far, and how well. Read without torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo.errors import BundleError, Problem
from zoo.model.pretrained import BUNDLE, RECIPE
from zoo.model.sealed import CONFIG, MANIFEST, damaged, parsed, read_bundle
from zoo.parts import SLOTS
from zoo.train.lock import LOCK, is_claimed
from zoo.train.metrics import METRICS, MetricsFile
from zoo.train.plan import begun_plan

State = Literal["finished", "interrupted", "running", "damaged"]
LAST, BEST = "last.safetensors", "best.safetensors"
HEADER = "zoo"
"""The entry of a checkpoint's metadata that is read; see `zoo.model.weights`."""
TRACES = {LOCK, METRICS, LAST}
"""Files of which a run has at least one besides its recipe."""


@dataclass(frozen=True)
class RunSummary:
    """What a run folder holds.

    Attributes:
        folder: the folder.
        state: finished, interrupted, running, or damaged.
        plan: what is trained on what, see `zoo.train.plan.plan`; empty where it cannot be read.
        step: number of steps taken.
        seconds: training time, all sessions together.
        best: term -> lowest nats per frame of the validation pieces.
        kinds: term -> kind of these nats; empty in runs that did not record them.
        versions: versions of the packages that trained the weights; empty without a bundle.
        problems: what is damaged.
    """

    folder: Path
    state: State
    plan: Mapping[str, Any] = field(default_factory=dict)
    step: int = 0
    seconds: float = 0.0
    best: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def parts(self) -> dict[str, str]:
        """Slot -> name of the part, without that of its package."""
        parts = self.plan.get("parts", {})
        return {slot: parts[slot]["name"].rpartition("/")[2] for slot in SLOTS if slot in parts}

    @property
    def music(self) -> str:
        """The name of the music, without the folder that it was read from."""
        return Path(self.plan["data"]["name"]).name if self.plan else ""

    @property
    def nats(self) -> float | None:
        """The sum of the best nats of all terms; None before the first validation."""
        return sum(self.best.values()) if self.best else None

    @property
    def kind(self) -> str | None:
        """The kind of `nats`, the weakest of its terms; None where it is not known of all."""
        known = {self.kinds.get(term) for term in self.best}
        if not known or None in known:
            return None
        if {"bound", "estimate"} <= known:
            return "estimated bound"
        return next(kind for kind in ("bound", "estimate", "exact") if kind in known)


def find_runs(folder: Path) -> Iterator[Path]:
    """The run folders below a folder, itself included, in alphabetical order."""
    for place, folders, files in os.walk(folder):
        inside = set(files)
        if (RECIPE in inside and inside & TRACES) or {LAST, METRICS} <= inside:
            folders.clear()
            yield Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def summarize(folder: Path) -> RunSummary:
    """The summary of a run. Damage is reported in it, not raised."""
    try:
        plan = begun_plan(folder)
        if plan is None:
            raise BundleError(damaged("is missing", str(folder / RECIPE)))
    except BundleError as error:
        return RunSummary(folder, "damaged", problems=tuple(error.problems))
    try:
        events = list(MetricsFile(folder).events())
        running = is_claimed(folder)
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
        state = "finished" if _is_finished(plan["train"], bundle, events) else "interrupted"
    return RunSummary(folder, state, plan, step, seconds, best, kinds, bundle.get("versions") or {}, problems)


def _best(events: list[dict[str, Any]]) -> tuple[dict[str, float], dict[str, str]]:
    """The lowest nats of each term, and their kinds."""
    best: dict[str, float] = {}
    kinds: dict[str, str] = {}
    for event in events:
        for term, nats in event.get("nats", {}).items():
            if isinstance(nats, int | float) and nats < best.get(term, float("inf")):
                best[term] = nats
                kinds.pop(term, None)
                if kind := (event.get("kinds") or {}).get(term):
                    kinds[term] = kind
    return best, kinds


def _damage(folder: Path) -> Iterator[Problem]:
    """A problem for each checkpoint without which the run cannot go on, as `Run.resume` sees it."""
    about: dict[str, dict[str, Any]] = {}
    for name in (BEST, LAST):
        if (folder / name).exists():
            try:
                about[name] = _about(folder / name)
            except BundleError as error:
                yield from error.problems
                return
    if BEST in about and LAST not in about:
        yield damaged("is missing", str(folder / LAST))
    if LAST in about and about[LAST].get("validated", -1) >= 0 and BEST not in about:
        yield damaged("is missing", str(folder / BEST))


def _about(path: Path) -> dict[str, Any]:
    """The metadata of a checkpoint, whose header promises no more bytes than the file has.

    Raises:
        BundleError: it is damaged, cut short, or no checkpoint.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "np") as file:
            about: dict[str, Any] = json.loads(file.metadata()[HEADER])["about"]
            return about
    except Exception as error:  # whatever a parser says of bytes that are not its own
        raise BundleError(damaged("is damaged, cut short, or not a safetensors file", str(path))) from error


def _bundle(folder: Path) -> dict[str, Any]:
    """The content of a bundle's config.json; empty without a bundle.

    Raises:
        BundleError: the bundle is damaged.
    """
    if not (folder / MANIFEST).is_file():
        return {}
    return parsed(read_bundle(folder)[CONFIG], folder / CONFIG)


def _is_finished(train: Mapping[str, Any], bundle: Mapping[str, Any], events: list[dict[str, Any]]) -> bool:
    """Whether the bundle holds the last step; or, as cells of a study have none, the budget is used up."""
    step = max((event["step"] for event in events), default=0)
    if bundle:
        return bool((bundle.get("training") or {}).get("steps", step) >= step)
    seconds = max((event.get("seconds") or 0.0 for event in events), default=0.0)
    if not events or events[-1].get("event") != "validated":
        return False
    if train.get("minutes"):
        return bool(seconds >= 60 * train["minutes"]) or _is_stale(train, events)
    return bool(train.get("steps") and step >= train["steps"]) or _is_stale(train, events)


def _is_stale(train: Mapping[str, Any], events: list[dict[str, Any]]) -> bool:
    """Whether nothing got better for as many validations as patience lasts."""
    validated = [event for event in events if event.get("event") == "validated"]
    newest = max((event["step"] for event in validated if event.get("improved")), default=0)
    waited = validated[-1]["step"] - newest
    return bool(0 < train["patience"] * train["validate_every"] <= waited)
