"""From words to a recipe: `decoder=rbm decoder.hidden=20 train.lr=0.01 data=bach`."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from zoo.errors import Problem, UsageError
from zoo.parts import SLOTS, Settings
from zoo.registry.recipe import Choice, Recipe
from zoo.registry.registry import Registry


def parse_recipe(
    words: str | Iterable[str],
    registry: Registry,
    *,
    sections: Mapping[str, type[Settings]] | None = None,
    keys: type[Settings] = Settings,
) -> Recipe:
    """Read a recipe and check it as far as that needs no torch.

    Args:
        words: as typed, or one string of them.
        registry: where parts are looked up.
        sections: what the command allows as `section.setting=value`.
        keys: what the command allows as `key=value`; read it as `recipe.values["key"]`.

    Raises:
        UsageError: the words cannot be meant; holds every problem that was found.
        PluginError: a part that is asked for is in a broken or ambiguous plugin.
    """
    models = dict(sections or {})
    given: dict[str, dict[str, Any]] = {}
    for word in shlex.split(words) if isinstance(words, str) else words:
        key, _, text = word.partition("=")
        head, _, tail = key.partition(".")
        given.setdefault(head if tail or head in SLOTS else "", {})[
            tail if tail or head in SLOTS else head
        ] = _value(text)
    try:
        parts = {}
        for slot in SLOTS:
            settings = given.pop(slot, {})
            entry = registry.find(slot, settings.pop("", registry.default(slot)))
            parts[slot] = Choice(entry, entry.description.settings(**settings))
        chosen = {name: model(**given.pop(name, {})) for name, model in models.items()}
        return Recipe(parts, chosen, keys(**given.pop("", {})))
    except ValidationError as error:
        raise UsageError(Problem(str(error))) from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
