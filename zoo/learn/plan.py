"""The plan of a run: what is trained on what. A run is resumed with the plan it was begun with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import BundleError, Problem
from zoo.learn.settings import TrainSettings
from zoo.model.sealed import damaged, parsed
from zoo.parts import SLOTS
from zoo.registry import Recipe
from zoo.registry.fields import live
from zoo.registry.registry import names_file

if TYPE_CHECKING:
    from zoo.data import Corpus

RECIPE = "recipe.json"


def plan(recipe: Recipe, corpus: Corpus, settings: TrainSettings, seed: int) -> dict[str, Any]:
    """Everything that the weights of a run depend on, and the words to say it again, ready for JSON."""
    return {
        "words": str(recipe),
        "parts": recipe.to_json()["parts"],
        "train": settings.model_dump(mode="json"),
        "data": {"name": corpus.name, "digest": corpus.digest, "grid": corpus.grid},
        "seed": seed,
    }


def begun_plan(folder: Path) -> dict[str, Any] | None:
    """The plan of the run in a folder; None where no run was begun.

    Raises:
        BundleError: the file that says so is damaged.
    """
    path = folder / RECIPE
    if not path.is_file():
        return None
    begun = parsed(path.read_bytes(), path)
    try:
        dict(_flat(begun))
        str(begun["words"])
    except (KeyError, TypeError, AttributeError) as error:
        raise BundleError(damaged("does not describe a run", str(path))) from error
    return begun


def differences(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[Problem]:
    """What keeps a run from being resumed: each setting that has changed, of another part its name alone.

    How long to train and on which device may change, and so may the name of the same music.
    """
    before, after = dict(_flat(begun)), dict(_flat(now))
    exchanged = tuple(f"{slot}." for slot in SLOTS if before.get(slot) != after.get(slot))
    return [
        Problem(f"is {after.get(key, 'not set')} now, the run was begun with {before.get(key, 'none')}", key)
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) and not key.startswith(exchanged)
    ]


def _flat(plan: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for slot, part in plan["parts"].items():
        yield slot, part["name"]
        yield from ((f"{slot}.{name}", value) for name, value in part["settings"].items())
        # Of a package it is the state version that decides the weights, of a file its content.
        decisive = "version" if names_file(part["name"]) else "state_version"
        yield f"{slot}.{decisive}", part[decisive]
    for name, value in plan["train"].items():
        field = TrainSettings.model_fields.get(name)
        if field is None or not live(field):
            yield f"train.{name}", value
    yield "the music", plan["data"]["digest"][:12]
    yield "seed", plan["seed"]
