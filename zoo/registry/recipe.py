"""A recipe: the part in each slot, its settings, and the settings of the command."""

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
from zoo.registry.compatibility import Choice, facts
from zoo.registry.fields import key
from zoo.registry.registry import Registry
from zoo.registry.values import write_value


class GridKeys(Settings):
    """The key `grid` of a recipe: the grid that parts are built for."""

    grid: int | None = setting(
        None,
        "frames per quarter note: 4 for sixteenths, 12 for triplets as well; none for the grid of the music",
        ge=1,
        le=FINEST_GRID,
    )


@dataclass(frozen=True)
class Recipe:
    """A validated recipe. `str(recipe)` gives words that parse to the same recipe.

    Attributes:
        parts: slot -> part and settings, for all five slots in order.
        sections: settings that do not belong to a part, such as `train`.
        keys: settings without a section, such as `data=` and `seed=`.
    """

    parts: Mapping[Slot, Choice]
    sections: Mapping[str, Any] = field(default_factory=dict)
    keys: Any = field(default_factory=Settings)

    @property
    def values(self) -> dict[str, Any]:
        """The keys by name, such as `recipe.values["seed"]`."""
        return dict(self.keys)

    @property
    def grid(self) -> int:
        """Frames per quarter note that the parts are built for."""
        return self.values.get("grid") or GRID

    def on_grid(self, grid: int) -> Recipe:
        """The same recipe for music on another grid."""
        keys = self.keys if isinstance(self.keys, GridKeys) else GridKeys()
        return replace(self, keys=keys.model_copy(update={"grid": None if grid == GRID else grid}))

    @property
    def facts(self) -> dict[str, Fact]:
        """The facts that the parts give, keyed "slot.fact" ("encoder.codes")."""
        return facts(self.parts)

    @cached_property
    def digest(self) -> str:
        """A sha256 of everything that affects the result, 64 hexadecimal digits.

        It does not depend on package versions while the state version is the same; it does depend on the
        contents of plugin files.
        """
        content = self.to_json()
        for part in content["parts"].values():
            part.pop("sha256", None)  # the version, which digests had before, is enough to tell files apart
        for slot, choice in self.parts.items():
            if choice.entry.source.origin in ("shipped", "installed"):
                del content["parts"][slot]["version"]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        """Every slot, and every setting that differs from its default."""
        heads: dict[str, Any] = {slot: choice.settings for slot, choice in self.parts.items()}
        heads |= {**self.sections, "": self.keys}
        words = [f"{slot}={choice.entry.portable}" for slot, choice in self.parts.items()]
        words += [word for head, settings in heads.items() for word in _changed(head, settings)]
        return " ".join(shlex.quote(word) for word in words)

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON; `from_json` reads it."""
        return {
            "parts": {slot: _part_to_json(choice) for slot, choice in self.parts.items()},
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
        """Read a recipe from the output of `to_json`.

        Args:
            data: the output of `to_json`.
            registry: where to look up parts.
            sections: settings classes of the sections to read; other sections are ignored.
            keys: settings class of the keys to read; other keys are ignored.

        Raises:
            BundleError: the data are damaged, or need a part, version or setting that is not available; holds
                all problems.
        """
        from zoo.registry.stored import read_stored

        stored = read_stored(data, registry, sections or {}, keys)
        return cls(stored.parts, stored.sections, stored.keys)


def _changed(head: str, settings: Settings) -> Iterator[str]:
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value != info.get_default(call_default_factory=True):
            yield f"{key(head, name)}={write_value(value)}"


def _part_to_json(choice: Choice) -> dict[str, Any]:
    return {
        "name": choice.entry.qualified,
        "version": choice.entry.version,
        **({"sha256": choice.entry.source.sha256} if choice.entry.source.sha256 else {}),
        "state_version": choice.entry.description.state_version,
        "settings": choice.settings.model_dump(mode="json"),
    }
