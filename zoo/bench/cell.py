"""Cells: the pieces of work that a study needs, each trained once whatever stands beside it in a row.

The terms of the loss share no parameter (`zoo.parts.terms`) and each begins from weights of its own seed.
So a core learns what it would learn beside any decoder, a decoder beside any core; 4 attentions and 2
decoders make 8 rows and 6 trainings.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from zoo.learn.settings import BEFORE, STEPS, TrainSettings
from zoo.parts import SLOTS, Settings, Slot
from zoo.parts.terms import SLOTS_OF, Term
from zoo.registry import Recipe, Registry, parse_recipe
from zoo.registry.compatibility import Choice
from zoo.registry.values import write_value

YARDSTICK = 1
"""Raised when a number would come out otherwise for the same weights; results of another one do not count."""
TRAINING = 2
"""Raised when the same training would come to other weights, or to another choice of them. As long as
`zoo.bench.reading.READING` is raised with it, the results before stay in their tables, as those of an earlier
reading."""

SCORED: dict[Term, tuple[str, ...]] = {
    "core": ("codes", "residual"),
    "decoder": ("keys",),
    "velocity": ("velocity",),
}
"""Which terms of an evaluation are stored for a trained term: those that depend on it alone."""

STAND_IN = "attention=last sampler=rates decoder=uniform velocity=none"
"""What fills the other slots: parts that learn nothing by gradient and cost next to nothing."""


@dataclass(frozen=True)
class Cell:
    """One training and what it is scored on.

    Attributes:
        term: which term of the loss is trained.
        recipe: the parts that it depends on, the others stood in for.
        data: name of the music.
        split: which of its pieces are scored.
        train: how it is trained.
        seed: of its first weights and of everything left to chance.
    """

    term: Term
    recipe: Recipe
    data: str
    split: str
    train: TrainSettings
    seed: int

    @cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits that change with anything that changes the result."""
        return _digest([YARDSTICK, self.data, self.split, *self._training])

    @property
    def training(self) -> str:
        """The name of its training, which changes with whatever changes the weights, and with nothing else.

        Scored by another yardstick or on another split, a cell has another key and the same training.
        """
        return f"{self.name.removesuffix(self.key)}{_digest([self.data, *self._training])}"

    @property
    def _training(self) -> list[Any]:
        return [TRAINING, self.term, self.recipe.digest, _budget(self.train), self.seed]

    @property
    def name(self) -> str:
        """What it is called, in files too: `core-onset-history-voices-s0-0123456789abcdef`."""
        parts = "-".join(self.recipe.parts[slot].entry.name for slot in own(self.term))
        return f"{self.term}-{_slug(parts)}-s{self.seed}-{self.key}"

    @property
    def title(self) -> str:
        """What it is called when people are told of it."""
        parts = " + ".join(_label(self.recipe.parts[slot]) for slot in own(self.term))
        return f"{self.term} {parts} on {self.data}, lr {self.train.lr:g}, seed {self.seed}"

    def order(self, place: str) -> dict[str, Any]:
        """Everything that whoever does the work must know, ready for JSON.

        Args:
            place: the name or path under which the music is found there.
        """
        return {
            "name": self.name,
            "training": self.training,
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
    """The floors under the rows of a plane, and those of loudness where there is any.

    Attributes:
        plane: the keys pressed, or the keys sounding.
        data: name of the music.
        split: which of its pieces are scored.
    """

    plane: str
    data: str
    split: str

    @property
    def key(self) -> str:
        """As that of a cell."""
        return _digest([YARDSTICK, "floors", self.plane, self.data, self.split])

    @property
    def name(self) -> str:
        """As that of a cell."""
        return f"floors-{self.plane}-{self.key}"

    @property
    def title(self) -> str:
        """As that of a cell."""
        return f"floors of {self.plane} keys on {self.data}"

    def order(self, place: str) -> dict[str, Any]:
        """As that of a cell."""
        return {
            "name": self.name,
            "training": self.name,
            "term": "floors",
            "plane": self.plane,
            "data": self.data,
            "place": place,
            "split": self.split,
        }


def question(order: Mapping[str, Any]) -> str:
    """What an order asks, in the words of its user: results to which it is the same answer the same question.

    It stays the same when defaults of settings, counters or versions of parts change, so that a result of an
    earlier reading is found by it.

    Args:
        order: as `Cell.order` and `FloorsCell.order` give it, with or without a place.

    Raises:
        KeyError: it is no order.
        ValueError: it names settings of training that there are not.
    """
    what = order["plane"] if order["term"] == "floors" else order["recipe"]
    train = _budget(TrainSettings(**{**BEFORE, **order["train"]})) if "train" in order else None
    return json.dumps([order["term"], what, order["data"], order["split"], train, order.get("seed")])


def _budget(train: TrainSettings) -> dict[str, Any]:
    """How something is trained, whatever it is trained on.

    Settings that change nothing are left out, so that a result keeps its key when there are new ones.
    """
    told = train.model_dump(mode="json", exclude={"device", "threads"})
    budget = {name: value for name, value in told.items() if name not in BEFORE or value != BEFORE[name]}
    if not any(budget[name] for name in ("minutes", "epochs", "steps")):
        budget["steps"] = STEPS
    return budget


def own(term: Term) -> tuple[Slot, ...]:
    """The slots that a term's number depends on."""
    return "encoder", *SLOTS_OF[term]


def alone(recipe: Recipe, term: Term, registry: Registry) -> Recipe:
    """The parts that a term depends on, with stand-ins in the other slots."""
    parts = {slot: (recipe if slot in own(term) else _stand_in(registry)).parts[slot] for slot in SLOTS}
    return Recipe(parts, keys=Settings())


@lru_cache(maxsize=1)
def _stand_in(registry: Registry) -> Recipe:
    """Read once for all cells of a study."""
    return parse_recipe(STAND_IN, registry)


def folder_of(data: str) -> str:
    """The folder in which results on some music are kept."""
    return _slug(data)


def _files(recipe: Recipe) -> dict[Slot, str]:
    """The versions of files of code, which must be the same wherever the work is done."""
    entries = {slot: choice.entry for slot, choice in recipe.parts.items()}
    return {slot: entry.version for slot, entry in entries.items() if entry.source.origin == "file"}


def _label(choice: Choice) -> str:
    """A part and its settings that are not the default: `none local=4`."""
    changed = choice.settings.model_dump(mode="json", exclude_defaults=True)
    return " ".join([choice.entry.name, *(f"{name}={write_value(value)}" for name, value in changed.items())])


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "_"


def _digest(content: list[Any] | Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
