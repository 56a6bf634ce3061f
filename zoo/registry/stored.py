"""Read recipes that are stored in a bundle or a run, possibly by another version on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from zoo.errors import VERSION, BundleError, Problem, ZooError
from zoo.parts import SLOTS, Settings, Slot
from zoo.registry.compatibility import Choice, incompatibilities
from zoo.registry.consent import named_part
from zoo.registry.entry import Entry
from zoo.registry.fields import check
from zoo.registry.registry import Registry, names_file
from zoo.registry.sources import is_digest
from zoo.registry.words import Word


class _StoredPart(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, defer_build=True)

    name: str
    version: str
    sha256: str = ""
    state_version: int
    settings: dict[str, Any]


class _StoredRecipe(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, defer_build=True)

    parts: dict[str, _StoredPart]
    sections: dict[str, dict[str, Any]] = {}
    values: dict[str, Any] = {}


@dataclass(frozen=True)
class Stored:
    """A stored recipe after validation: all parts, and the requested sections and keys."""

    parts: dict[Slot, Choice]
    sections: dict[str, Any]
    keys: Any


def read_stored(
    data: Any, registry: Registry, sections: Mapping[str, type[Settings]], keys: type[Settings]
) -> Stored:
    """Read a recipe from the output of `Recipe.to_json`; see `Recipe.from_json`.

    Raises:
        BundleError: the data are damaged, or need a part, version or setting that is not available; holds all
            problems.
    """
    try:
        stored = _StoredRecipe.model_validate(data)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, detail["loc"])) or "everything" for detail in error.errors())
        raise BundleError(Problem(f"the recipe is damaged: {places}", hint="create it again")) from None
    problems: list[Problem] = []
    if set(stored.parts) != set(SLOTS):
        different = ", ".join(sorted(set(stored.parts) ^ set(SLOTS)))
        problems.append(
            Problem(
                f"its slots are not those of this zoo: {different}", hint="try a newer version of polyzoo"
            )
        )
    parts: dict[Slot, Choice] = {}
    for slot in SLOTS:
        choice = _choice(slot, stored.parts[slot], registry, problems) if slot in stored.parts else None
        if choice:
            parts[slot] = choice
    requested = {name: model for name, model in sections.items() if name in stored.sections}
    chosen = {
        name: _settings(model, stored.sections[name], name, problems) for name, model in requested.items()
    }
    known = {name: value for name, value in stored.values.items() if name in keys.model_fields}
    values = _settings(keys, known, "", problems)
    if not problems:
        problems = [problem for error in incompatibilities(parts) for problem in error.problems]
    if problems:
        raise BundleError(*problems)
    return Stored(parts, chosen, values)


def read_part(slot: Slot, parts: Any, registry: Registry) -> Choice:
    """Read one of the parts from the output of `Recipe.to_json`; the others need not be available.

    Args:
        slot: the slot of the part.
        parts: the value of "parts".
        registry: where to look up parts.

    Raises:
        BundleError: the data are damaged, or need a part, version or setting that is not available; holds all
            problems.
    """
    try:
        stored = _StoredRecipe.model_validate({"parts": parts}).parts[slot]
    except (ValidationError, KeyError):
        raise BundleError(Problem("the recipe is damaged", slot, "create it again")) from None
    problems: list[Problem] = []
    choice = _choice(slot, stored, registry, problems)
    if choice is None:
        raise BundleError(*problems)
    return choice


def _choice(slot: Slot, stored: _StoredPart, registry: Registry, problems: list[Problem]) -> Choice | None:
    entry = _entry(slot, stored, registry, problems)
    settings = _settings(entry.load_settings(), stored.settings, slot, problems) if entry else None
    return Choice(entry, settings) if entry and settings is not None else None


def _settings(model: type[Settings], values: Mapping[str, Any], head: str, problems: list[Problem]) -> Any:
    checked = check(model, values, head)
    problems += checked.problems
    return checked.settings


def _entry(slot: Slot, stored: _StoredPart, registry: Registry, problems: list[Problem]) -> Entry | None:
    """The stored part, if it is available and its weights are compatible."""
    where = f"{slot}={stored.name}"
    try:
        if names_file(stored.name) and not registry.trusts(stored.name):
            problems.append(Problem("it needs code from a file", where, "inspect the file, then add --local"))
            return None
        version = (stored.sha256 or stored.version) if names_file(stored.name) else ""
        if names_file(stored.name) and not is_digest(version):
            what = "the digest of its file is missing or invalid, so the file may be another one"
            problems.append(Problem(what, where, "create it again"))
            return None
        entry = named_part(slot, Word(slot, stored.name, "the stored recipe", version=version), registry)
    except ZooError as error:
        for problem in error.problems:
            problems.append(
                Problem(f"it needs {stored.name} {stored.version}: {problem.what}", slot, problem.hint)
            )
        return None
    outdated = _outdated(entry, stored)
    problems += outdated
    return None if outdated else entry


def _outdated(entry: Entry, stored: _StoredPart) -> list[Problem]:
    current = entry.description.state_version
    if stored.state_version == current:
        return []
    what = f"its weights have state version {stored.state_version}, but {entry.source} needs {current}"
    known = entry.source.origin in ("shipped", "installed") and VERSION.fullmatch(stored.version)
    package = f"pip install '{entry.distribution}=={stored.version}'"
    hint = f"install the matching version: `{package}`" if known else ""
    return [Problem(what, f"{entry.slot}={stored.name}", hint)]
