"""A resumed run equals an uninterrupted one, for every part."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from zoo.data import Corpus
from zoo.model.build import build
from zoo.model.weights import digest, unpack
from zoo.parts import SLOTS
from zoo.registry import Entry, open_registry, parse_recipe
from zoo.registry.compatibility import Choice, incompatibilities
from zoo.train.events import Event, Stepped
from zoo.train.fit import fit
from zoo.train.lock import lock_folder
from zoo.train.run import Run

FULL = os.environ.get("ZOO_STRESS_RESUME", "") == "full"
"""Test all combinations, each stopped after one of ten steps, instead of each part once.

The terms are trained apart: the codes by encoder, attention and sampler, the keys by encoder and decoder, the
loudness by the velocity. All combinations of the parts of a term are trained, not those of parts of different
terms.
"""
VARIED = (("encoder", "attention", "sampler"), ("encoder", "decoder"), ("velocity",))
"""The slots of each term."""
OTHERS = {
    "encoder": "keys",
    "attention": "none",
    "sampler": "independent",
    "decoder": "uniform",
    "velocity": "none",
}
"""The parts in the slots of the other terms."""
STEPS = 12 if FULL else 5
TRAINING = {
    "optimizer": "adamw",
    "decay": 0.1,
    "schedule": "cosine",
    "warmup": 2,
    "ema": 0.9,
    "accumulate": 2,
    "group_by_length": True,
}
SMALL = {
    "local": 5,
    "reader": 5,
    "features": 5,
    "hidden": 5,
    "group": 5,
    "lstm": 5,
    "head": 3,
    "paths": 2,
    "gibbs": 2,
}


def combinations() -> list[str]:
    """The recipes of all possible combinations of each term, or of enough to contain each part once."""
    registry = open_registry()
    parts = [registry.shipped_entries(slot) for slot in SLOTS]
    if FULL:
        others = {slot: registry.find(slot, name) for slot, name in OTHERS.items()}
        every = [
            list((others | {entry.slot: entry for entry in entries}).values())
            for varied in VARIED
            for entries in product(*(registry.shipped_entries(slot) for slot in varied))
        ]
        chosen = [entries for entries in every if compatible(entries)]
    else:
        chosen = [some(parts, row) for row in range(max(map(len, parts)))]
    return sorted({" ".join(word for entry in entries for word in words(entry)) for entries in chosen})


def some(parts: list[list[Entry]], row: int) -> list[Entry]:
    """One part of each slot, with the first encoder from this row on that is compatible with the others."""
    rest = [entries[row % len(entries)] for entries in parts[1:]]
    encoders = [parts[0][(row + shift) % len(parts[0])] for shift in range(len(parts[0]))]
    return next([encoder, *rest] for encoder in encoders if compatible([encoder, *rest]))


def compatible(entries: Iterable[Entry]) -> bool:
    return not incompatibilities({entry.slot: Choice(entry, entry.load_settings()()) for entry in entries})


def words(entry: Entry) -> Iterator[str]:
    yield f"{entry.slot}={entry.name}"
    for name in entry.load_settings().model_fields:
        if name in SMALL:
            yield f"{entry.slot}.{name}={SMALL[name]}"


def train_run(folder: Path, recipe: str, corpus: Corpus, settings: Any, stop: int = 0) -> str:
    def interrupt(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == stop:
            raise KeyboardInterrupt

    model = build(parse_recipe(recipe, open_registry()))
    with lock_folder(folder) as place:
        fit(model, corpus, settings, Run(place), interrupt, resume=True)
    last = unpack((folder / "last.safetensors").read_bytes(), "last").about["weights"]
    return f"{last} {digest(model.state_dict())}"


def test_every_part_is_in_a_combination() -> None:
    chosen = {word for recipe in combinations() for word in recipe.split()}
    assert {f"{entry.slot}={entry.name}" for entry in open_registry().shipped_entries()} <= chosen


@pytest.mark.slow
@pytest.mark.parametrize("recipe", combinations())
def test_a_resumed_run_equals_an_uninterrupted_one(
    recipe: str, corpus: Corpus, fast: Callable[..., Any], tmp_path: Path
) -> None:
    settings = fast(steps=STEPS, validate_every=2, validate_frames=30, **TRAINING)
    uninterrupted = train_run(tmp_path / "uninterrupted", recipe, corpus, settings)
    learns = "stepped" in (tmp_path / "uninterrupted" / "metrics.jsonl").read_text()
    if not learns:
        return
    stop = random.Random(recipe).randrange(1, STEPS - 1 if FULL else STEPS)
    with pytest.raises(KeyboardInterrupt):
        train_run(tmp_path / "stopped", recipe, corpus, settings, stop)
    assert train_run(tmp_path / "stopped", recipe, corpus, settings) == uninterrupted, f"stopped after {stop}"
