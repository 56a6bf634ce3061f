"""Code files of the parts in a bundle, as paths relative to the bundle.

A recipe names such a file as the user typed it, relative to the current folder. A bundle also stores the path
relative to itself, so that bundle and file can be moved together and loaded from anywhere. A file beside the
bundle is used as well, as in a submission to the leaderboard.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.parts import SLOTS, Slot
from zoo.registry import Recipe
from zoo.registry.registry import file_of, names_file
from zoo.registry.sources import file_digest, is_same


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
    """A stored recipe whose files are replaced by those near the bundle, where these are the stored ones.

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
    """A stored part whose file is replaced by the first of the known places that has the stored version.

    The places are the path as typed, the path relative to the bundle, and the folder that contains the
    bundle. If none has the version, the first file that exists is named, and its version is reported later.
    """
    name = part.get("name") if isinstance(part, Mapping) else None
    if not isinstance(name, str) or not isinstance(relative, str) or not names_file(name):
        return part
    typed = file_of(name)
    existing = [file for file in (typed, place / relative, place.parent / typed.name) if file.is_file()]
    stored = str(part.get("sha256") or part.get("version"))
    same = [file for file in existing if is_same(file_digest(file), stored)]
    file = next(iter(same or existing), typed)
    if file == typed:
        return part
    current = Path(os.path.relpath(file)).as_posix()
    part_name = "" if name.endswith(".py") else f":{name.rpartition(':')[2]}"
    return {**part, "name": f"./{current}{part_name}"}
