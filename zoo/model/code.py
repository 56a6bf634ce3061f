"""Code files of the parts in a bundle, as paths relative to the bundle.

A recipe names such a file as the user typed it, relative to the current folder. A bundle also stores the path
relative to itself, so that bundle and file can be moved together and loaded from anywhere.
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
    """Slot -> code file of the part, relative to the folder of a bundle.

    A file on another drive than the bundle has no relative path and is omitted.
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
    """A stored recipe in which files that do not exist are replaced by those relative to the bundle.

    Args:
        recipe: the output of `Recipe.to_json`; if it is damaged, `Recipe.from_json` reports that later.
        code: the output of `code_of`.
        place: the folder of the bundle.
    """
    parts = recipe.get("parts") if isinstance(recipe, Mapping) else None
    if not isinstance(parts, Mapping) or not isinstance(code, Mapping):
        return recipe
    moved = {slot: _moved(parts[slot], code[slot], place) for slot in SLOTS if slot in parts and slot in code}
    return {**recipe, "parts": {**parts, **moved}}


def _moved(part: Any, relative: Any, place: Path) -> Any:
    """A stored part with the path of its file replaced, if only the path relative to the bundle exists."""
    name = part.get("name") if isinstance(part, Mapping) else None
    if not isinstance(name, str) or not isinstance(relative, str) or not names_file(name):
        return part
    file = file_of(name)
    if file.exists() or not (place / relative).exists():
        return part
    current = Path(os.path.relpath(place / relative)).as_posix()
    part_name = "" if name.endswith(".py") else f":{name.rpartition(':')[2]}"
    return {**part, "name": f"./{current}{part_name}"}
