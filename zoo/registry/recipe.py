"""A recipe: which part stands in each slot, its settings, and what a command wants to know beside."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from zoo.music.grid import FINEST_GRID, GRID
from zoo.parts import Fact, Settings, Slot, setting
from zoo.registry.fields import key
from zoo.registry.fit import Choice, facts
from zoo.registry.registry import Registry
from zoo.registry.values import write_value


class GridKeys(Settings):
    """The grid that parts are built for, as a key of a recipe."""

    grid: int | None = setting(
        None,
        "frames to a quarter note: 4 for sixteenths, 12 where there are triplets; none for that of the music",
        ge=1,
        le=FINEST_GRID,
    )


@dataclass(frozen=True)
class Recipe:
    """Everything a command was asked for, checked. `str` gives the words that make it again.

    Attributes:
        parts: slot -> part and settings; all five slots, in their order.
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

    @property
    def grid(self) -> int:
        """Frames to a quarter note that the parts are built for."""
        return self.values.get("grid") or GRID

    def on_grid(self, grid: int) -> Recipe:
        """The same parts for music of another grid."""
        keys = self.keys if isinstance(self.keys, GridKeys) else GridKeys()
        return replace(self, keys=keys.model_copy(update={"grid": None if grid == GRID else grid}))

    @property
    def facts(self) -> dict[str, Fact]:
        """What the parts say of themselves, keyed "slot.fact" ("encoder.codes")."""
        return facts(self.parts)

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that change with anything that changes the result.

        Versions of packages do not count, as long as the state version stays; the contents of a file do.
        """
        content = self.to_json()
        for slot, choice in self.parts.items():
            if choice.entry.source.origin in ("shipped", "installed"):
                del content["parts"][slot]["version"]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        """Every slot, and every setting that is not the default."""
        heads: dict[str, Any] = {slot: choice.settings for slot, choice in self.parts.items()}
        heads |= {**self.sections, "": self.keys}
        words = [f"{slot}={choice.entry.portable}" for slot, choice in self.parts.items()]
        words += [word for head, settings in heads.items() for word in _changed(head, settings)]
        return " ".join(shlex.quote(word) for word in words)

    def to_json(self) -> dict[str, Any]:
        """The recipe as it is kept in files; `from_json` reads it."""
        return {
            "parts": {slot: _kept(choice) for slot, choice in self.parts.items()},
            "sections": {name: settings.model_dump(mode="json") for name, settings in self.sections.items()},
            "values": self.keys.model_dump(mode="json"),
        }

    @classmethod
    def from_json(
        cls,
        data: Any,
        registry: Registry,
        *,
        sections: Mapping[str, type[Settings]] | None = None,
        keys: type[Settings] = Settings,
    ) -> Recipe:
        """The recipe that `to_json` kept.

        Args:
            data: what it gave, read from JSON.
            registry: where parts are looked up.
            sections: which kept sections are wanted; others are passed over.
            keys: which kept values are wanted; others are passed over.

        Raises:
            BundleError: it is damaged, or needs a part, a version or a setting that is not here; all of it.
        """
        from zoo.registry.stored import read_stored

        stored = read_stored(data, registry, sections or {}, keys)
        return cls(stored.parts, stored.sections, stored.keys)


def _changed(head: str, settings: Settings) -> Iterator[str]:
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value != info.get_default(call_default_factory=True):
            yield f"{key(head, name)}={write_value(value)}"


def _kept(choice: Choice) -> dict[str, Any]:
    return {
        "name": choice.entry.qualified,
        "version": choice.entry.version,
        "state_version": choice.entry.description.state_version,
        "settings": choice.settings.model_dump(mode="json"),
    }
