"""The Recipe section: the parts of a model, its training, and the command that trains it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.model.build import parameter_count
from zoo.model.bundle import Bundle
from zoo.parts import SLOTS
from zoo.parts.kinds import marked
from zoo.registry import Choice
from zoo.registry.values import write_value
from zoo.registry.words import split
from zoo.train.proposals import train_words
from zoo.train.record import pedal_of
from zoo.train.settings import BUDGETS, LEGACY


@dataclass(frozen=True)
class RecipeSummary:
    """How a model was built and trained.

    Attributes:
        name: display name of the model.
        parts: (slot, part, version, settings, number of parameters) of each slot.
        facts: (name, value) pairs on its training music, training and versions.
        command: the command that trains it again; empty if there is none.
        without_command: why there is none.
    """

    name: str
    parts: tuple[tuple[str, str, str, str, str], ...]
    facts: tuple[tuple[str, str], ...]
    command: str
    without_command: str = ""

    @classmethod
    def from_bundle(cls, name: str, bundle: Bundle) -> RecipeSummary:
        """The summary of a bundle."""
        return cls(
            name,
            tuple(_parts(bundle)),
            tuple(_facts(bundle.record)),
            training_command(bundle),
            without_command(bundle),
        )


def _parts(bundle: Bundle) -> Iterator[tuple[str, str, str, str, str]]:
    model = bundle.model
    for slot in SLOTS:
        choice = model.recipe.parts[slot]
        settings = choice.settings.model_dump()
        settings_text = ", ".join(f"{name}={write_value(value)}" for name, value in settings.items())
        count = f"{parameter_count(model.get_submodule(slot)):,}"
        yield slot, choice.entry.qualified, choice.entry.version, settings_text or "–", count


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    data, training = record.get("data", {}), record.get("training", {})
    if data:
        meter = "/".join(map(str, data.get("meter", ())))
        size = f"{data.get('pieces', 0):,} pieces, {data.get('frames', 0):,} frames"
        grid = f"{data.get('grid', 4)} frames per quarter note"
        yield "music", f"{data.get('name')}: {size}; {grid}; most common meter: {meter or 'unknown'}"
        yield "digest of the music", str(data.get("digest"))
    if training:
        early = ", stopped early" if training.get("stopped") == "patience" else ""
        size = f"{training.get('steps', 0):,} steps in {training.get('seconds', 0) / 60:.1f} minutes"
        yield "training", size + early
        yield "training settings", ", ".join(f"{k}={v}" for k, v in training.get("settings", {}).items())
    scores = record.get("scores", {})
    for term, nats in scores.get("validation", {}).items():
        kind = scores.get("validation_kinds", {}).get(term)
        yield f"validation, {term}", f"{marked(nats, kind)} nats per frame"
    for slot, source in {**record.get("sources", {}), **training.get("began_from", {})}.items():
        yield f"{slot} taken from", str(source)
    versions = record.get("versions", {})
    if versions:
        yield "versions", ", ".join(f"{package} {version}" for package, version in versions.items())


def training_command(bundle: Bundle) -> str:
    """The command that trains a bundle again, in the folder of its music; empty if there is none."""
    if without_command(bundle):
        return ""
    data, training = bundle.record["data"], bundle.record["training"]
    changed_settings = train_words(_one_budget(training), bundle.model.recipe.parts)
    # The grid is a word of the recipe. All other options of reading change the music or its split.
    reading = {"pedal": (pedal_of(bundle.record), "keep"), "family": (data.get("family", ""), "")}
    changed_reading = [f"{key}={value}" for key, (value, default) in reading.items() if value != default]
    seed, ranks = training.get("seed"), training.get("ranks", 1)
    music = [f"data={data.get('name')}", *changed_reading]
    arguments = [*split(str(bundle.model.recipe)), *music, *changed_settings]
    start = ["torchrun", "--nproc-per-node", str(ranks), "--no-python"] if ranks > 1 else []
    seeded = [*arguments, *([f"seed={seed}"] if seed else [])]
    local = local_words(bundle.model.recipe.parts.values())
    return shlex.join([*start, "zoo", "train", *seeded, "-o", "RUN", *local])


def local_words(parts: Iterable[Choice]) -> list[str]:
    """The switch without which a command does not run the code of parts that a `registry.toml` lists.

    Parts in files need none, since the command names their files.
    """
    return ["--local"] if any(part.entry.source.origin == "local" for part in parts) else []


def without_command(bundle: Bundle) -> str:
    """Why no single command trains a bundle again; empty if there is one."""
    record = bundle.record
    data, training = record.get("data"), record.get("training")
    if not data or not training or record.get("sources") or training.get("began_from"):
        return "combined from trained parts, or fine-tuned"
    if data.get("in_memory"):
        return "trained from Python, on music in memory"
    if training.get("stopped") == "interrupt":
        return "interrupted"
    if how := training.get("from_python"):
        return f"trained from Python, {how}"
    return "continued with another budget or patience" if _needs_sessions(training) else ""


def _one_budget(training: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings that take as many steps at once as a run that was continued took in several sessions."""
    settings: Mapping[str, Any] = training.get("settings", {})
    if not training.get("continued"):
        return settings
    kept = {name: value for name, value in settings.items() if f"train.{name}" not in BUDGETS}
    return {**kept, "steps": training["steps"], "patience": 0}


def _needs_sessions(training: Mapping[str, Any]) -> bool:
    """Whether a run that was continued has other weights than one with as many steps at once.

    A cosine schedule depends on the budget. A session also ends with a validation, whose weights may be the
    best, although a longer session does not validate there.
    """
    if not training.get("continued"):
        return False
    settings, steps = {**LEGACY, **training.get("settings", {})}, training.get("steps", 0)
    every, best = settings.get("validate_every"), training.get("best_step", {}).values()
    if settings["schedule"] != "constant" or not steps or not isinstance(every, int) or every < 1:
        return True
    return any(step != steps and step % every for step in best)
