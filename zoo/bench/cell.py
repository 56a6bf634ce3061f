"""Cells: the trainings that a study needs, each shared by all rows in which it occurs.

The terms of the loss share no parameters (`zoo.parts.terms`), and each is initialised from its own seed. A
core therefore learns the same next to any decoder, and a decoder next to any core: 4 attentions and 2
decoders make 8 rows but only 6 trainings.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from zoo.parts import SLOTS, Settings, Slot
from zoo.parts.terms import SLOTS_OF, Term
from zoo.registry import Recipe, Registry, parse_recipe
from zoo.registry.compatibility import Choice
from zoo.registry.values import write_value
from zoo.train.settings import LEGACY, STEPS, TrainSettings

YARDSTICK = 1
"""Version of the scoring, raised when the same weights would get another number. Results of other versions
are ignored."""
TRAINING = 2
"""Version of the training, raised when the same training would result in different weights or choose another
checkpoint. If `zoo.bench.reading.READING` is raised with it, older results stay in their tables, marked as
those of an earlier reading."""

SCORED: dict[Term, tuple[str, ...]] = {
    "core": ("codes", "residual"),
    "decoder": ("keys",),
    "velocity": ("velocity",),
}
"""Trained term -> the terms of its evaluation that are stored, because they depend on it alone."""

STAND_IN = "attention=last sampler=rates decoder=uniform velocity=none"
"""Parts for the other slots: they learn nothing by gradient and cost next to nothing."""


@dataclass(frozen=True)
class Cell:
    """One training and the split it is scored on.

    Attributes:
        term: the term of the loss that is trained.
        recipe: the parts that it depends on, with stand-ins in the other slots.
        data: name of the dataset.
        split: the split that is scored.
        train: settings of the training.
        seed: seed of the initial weights and of all random draws.
    """

    term: Term
    recipe: Recipe
    data: str
    split: str
    train: TrainSettings
    seed: int

    @cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits, a digest of everything that changes the result."""
        return _digest([YARDSTICK, self.data, self.split, *self._training])

    @property
    def training(self) -> str:
        """Name of the training, which depends on everything that changes the weights and on nothing else.

        With another yardstick or split a cell has another key but the same training.
        """
        return f"{self.name.removesuffix(self.key)}{_digest([self.data, *self._training])}"

    @property
    def _training(self) -> list[Any]:
        return [TRAINING, self.term, self.recipe.digest, budget(self.train), self.seed]

    @property
    def name(self) -> str:
        """Name of the cell and of its file: `core-onset-history-voices-s0-0123456789abcdef`."""
        parts = "-".join(self.recipe.parts[slot].entry.name for slot in slots_of(self.term))
        return f"{self.term}-{_slug(parts)}-s{self.seed}-{self.key}"

    @property
    def title(self) -> str:
        """Name of the cell in messages: `core onset + history + voices on bach, lr 0.003, seed 0`."""
        parts = " + ".join(_label(self.recipe.parts[slot]) for slot in slots_of(self.term))
        return f"{self.term} {parts} on {self.data}, lr {self.train.lr:g}, seed {self.seed}"

    def order(self, place: str, music: str = "") -> dict[str, Any]:
        """Everything a worker needs to run the cell, as JSON values.

        Args:
            place: name or path of the dataset on the worker's machine.
            music: digest of the music; trainings on other music of the same name have another folder.
        """
        return {
            "name": self.name,
            "training": f"{self.training}-{music[:8]}",
            "music": music,
            "term": self.term,
            "recipe": str(self.recipe),
            "data": self.data,
            "place": place,
            "split": self.split,
            "train": self.train.model_dump(mode="json", exclude_none=True),
            "seed": self.seed,
            **({"files": files} if (files := _files(self.recipe)) else {}),
        }


@dataclass(frozen=True)
class FloorsCell:
    """The floors of a plane, and those of velocity if the music has velocities.

    Attributes:
        plane: `onset` (keys pressed) or `sounding`.
        data: name of the dataset.
        split: the split that is scored.
    """

    plane: str
    data: str
    split: str

    @property
    def key(self) -> str:
        """See `Cell.key`."""
        return _digest([YARDSTICK, "floors", self.plane, self.data, self.split])

    @property
    def name(self) -> str:
        """See `Cell.name`."""
        return f"floors-{self.plane}-{self.key}"

    @property
    def title(self) -> str:
        """See `Cell.title`."""
        return f"floors of {self.plane} keys on {self.data}"

    def order(self, place: str, music: str = "") -> dict[str, Any]:
        """See `Cell.order`."""
        return {
            "name": self.name,
            "training": self.name,
            "music": music,
            "term": "floors",
            "plane": self.plane,
            "data": self.data,
            "place": place,
            "split": self.split,
        }


def question(order: Mapping[str, Any]) -> str:
    """The question that an order asks, in the words of the study; results to equal questions are comparable.

    It does not depend on default settings or on versions of installed parts, training or scoring, so that it
    identifies the matching result of an earlier reading; parts in files are identified by their code.

    Args:
        order: from `Cell.order` or `FloorsCell.order`, with or without a place.

    Raises:
        KeyError: a key is missing.
        ValueError: a training setting is unknown.
    """
    target = order["plane"] if order["term"] == "floors" else order["recipe"]
    train = budget(TrainSettings(**{**LEGACY, **order["train"]})) if "train" in order else None
    asked = [order["term"], target, order["data"], order["split"], train, order.get("seed")]
    return json.dumps([*asked, order.get("files")], sort_keys=True)


def budget(train: TrainSettings) -> dict[str, Any]:
    """The training settings that change the weights: all but device, threads and tracker.

    Settings at the value that training had before they existed are left out, so that a new setting does not
    change the keys of stored results.
    """
    settings = train.model_dump(mode="json", exclude={"device", "threads", "tracker"})
    relevant = {
        name: value for name, value in settings.items() if name not in LEGACY or value != LEGACY[name]
    }
    if not any(relevant[name] for name in ("minutes", "epochs", "steps")):
        relevant["steps"] = STEPS
    return relevant


def slots_of(term: Term) -> tuple[Slot, ...]:
    """The slots that the score of a term depends on."""
    return "encoder", *SLOTS_OF[term]


def isolated(recipe: Recipe, term: Term, registry: Registry) -> Recipe:
    """The parts that a term depends on, with stand-ins in the other slots."""
    parts = {slot: (recipe if slot in slots_of(term) else _stand_in(registry)).parts[slot] for slot in SLOTS}
    return Recipe(parts, keys=Settings())


@lru_cache(maxsize=1)
def _stand_in(registry: Registry) -> Recipe:
    """The stand-in recipe, parsed once for all cells of a study."""
    return parse_recipe(STAND_IN, registry)


def folder_of(data: str) -> str:
    """Name of the folder for the results on a dataset."""
    return _slug(data)


def _files(recipe: Recipe) -> dict[Slot, str]:
    """Slot -> sha256 of each part that is a file of code; workers must have the same file."""
    sources = {slot: choice.entry.source for slot, choice in recipe.parts.items()}
    return {slot: source.sha256 for slot, source in sources.items() if source.origin == "file"}


def _label(choice: Choice) -> str:
    """A part and its non-default settings: `none local=4`."""
    changed = choice.settings.model_dump(mode="json", exclude_defaults=True)
    return " ".join([choice.entry.name, *(f"{name}={write_value(value)}" for name, value in changed.items())])


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "_"


def _digest(content: list[Any] | Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
