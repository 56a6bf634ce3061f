"""A resumed run equals an uninterrupted one, for every part."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from zoo.data import Corpus
from zoo.model.build import build
from zoo.model.weights import digest, unpack
from zoo.parts import SLOTS
from zoo.registry import Entry, open_registry, parse_recipe
from zoo.train.events import Event, Stepped
from zoo.train.fit import fit
from zoo.train.lock import lock_folder
from zoo.train.run import Run

FULL = os.environ.get("ZOO_STRESS_RESUME", "") == "full"
"""Test all combinations with ten interruptions each, instead of each part once with one interruption."""
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
    """The recipes of all combinations, or of enough to contain each part once."""
    registry = open_registry()
    parts = [registry.shipped_entries(slot) for slot in SLOTS]
    rows = range(max(map(len, parts)))
    some = ([entries[row % len(entries)] for entries in parts] for row in rows)
    return [
        " ".join(word for entry in chosen for word in words(entry))
        for chosen in (product(*parts) if FULL else some)
    ]


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


@pytest.mark.slow
@pytest.mark.parametrize("recipe", combinations())
def test_a_resumed_run_equals_an_uninterrupted_one(
    recipe: str, corpus: Corpus, fast: Callable[..., Any], tmp_path: Path
) -> None:
    settings = fast(steps=STEPS, validate_every=2, validate_frames=30, **TRAINING)
    uninterrupted = train_run(tmp_path / "uninterrupted", recipe, corpus, settings)
    learns = "stepped" in (tmp_path / "uninterrupted" / "metrics.jsonl").read_text()
    points = range(1, STEPS - 1) if FULL else [random.Random(recipe).randrange(1, STEPS)]
    for stop in points if learns else []:
        folder = tmp_path / f"stopped-{stop}"
        with pytest.raises(KeyboardInterrupt):
            train_run(folder, recipe, corpus, settings, stop)
        assert train_run(folder, recipe, corpus, settings) == uninterrupted, f"stopped after step {stop}"
