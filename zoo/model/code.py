"""Parts whose code lies in a file: where the file is, seen from the bundle that needs it.

A recipe names such a file as the user typed it, which means something in one working folder only. A bundle
adds the way from its own folder, so that both can be moved together and loaded from anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.parts import SLOTS, Slot
from zoo.registry import Recipe
from zoo.registry.registry import file_of, names_file


def code_of(recipe: Recipe, place: Path) -> dict[Slot, str]:
    """The files that parts of a recipe are in, by slot, relative to a bundle's folder.

    A file on another drive than the bundle has no such path and is left out.
    """
    files: dict[Slot, str] = {}
    for slot, choice in recipe.parts.items():
        source = choice.entry.source
        if source.is_file:
            try:
                files[slot] = Path(os.path.relpath(source.target, place)).as_posix()
            except ValueError:
                continue
    return files


def located(recipe: Any, code: Any, place: Path) -> Any:
    """A recipe as `Recipe.to_json` kept it, with files that are not where it says looked up from the bundle.

    Args:
        recipe: what was kept; whatever is wrong with it is left for `Recipe.from_json` to explain.
        code: what `code_of` gave.
        place: the bundle's folder.
    """
    parts = recipe.get("parts") if isinstance(recipe, Mapping) else None
    if not isinstance(parts, Mapping) or not isinstance(code, Mapping):
        return recipe
    moved = {slot: _moved(parts[slot], code[slot], place) for slot in SLOTS if slot in parts and slot in code}
    return {**recipe, "parts": {**parts, **moved}}


def _moved(part: Any, way: Any, place: Path) -> Any:
    name = part.get("name") if isinstance(part, Mapping) else None
    if not isinstance(name, str) or not isinstance(way, str) or not names_file(name):
        return part
    file = file_of(name)
    if file.exists() or not (place / way).exists():
        return part
    here = Path(os.path.relpath(place / way)).as_posix()
    called = "" if name.endswith(".py") else f":{name.rpartition(':')[2]}"
    return {**part, "name": f"./{here}{called}"}
