"""A recipe: which part stands in each slot, its settings, and what a command wants to know beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.parts import Settings, Slot
from zoo.registry.entry import Entry


@dataclass(frozen=True)
class Choice:
    """The part that stands in a slot."""

    entry: Entry
    settings: Any


@dataclass(frozen=True)
class Recipe:
    """Everything a command was asked for, checked.

    Attributes:
        parts: slot -> part and settings; all five slots.
        sections: settings that are not of a part, such as `train`.
        keys: settings without a section, such as `data=` and `seed=`.
    """

    parts: Mapping[Slot, Choice]
    sections: Mapping[str, Any] = field(default_factory=dict)
    keys: Any = field(default_factory=Settings)

    @property
    def values(self) -> dict[str, Any]:
        """The keys by name: `recipe.values["seed"]`."""
        return dict(self.keys)
