"""Reading recipes that were kept in a bundle or a run, perhaps elsewhere and long ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from zoo.errors import BundleError, Problem, ZooError
from zoo.parts import SLOTS, Settings, Slot
from zoo.registry.consent import named_part
from zoo.registry.entry import Entry
from zoo.registry.fields import check
from zoo.registry.fit import Choice, misfits
from zoo.registry.registry import Registry, names_file
from zoo.registry.words import Word


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, defer_build=True)

    name: str
    version: str
    state_version: int
    settings: dict[str, Any]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, defer_build=True)

    parts: dict[str, _Part]
    sections: dict[str, dict[str, Any]] = {}
    values: dict[str, Any] = {}


@dataclass(frozen=True)
class Stored:
    """What was kept, checked: the parts, and the wanted sections and keys."""

    parts: dict[Slot, Choice]
    sections: dict[str, Any]
    keys: Any


def read_stored(
    data: Any, registry: Registry, sections: Mapping[str, type[Settings]], keys: type[Settings]
) -> Stored:
    """Find again what `Recipe.to_json` kept; sections and keys that are not wanted are passed over.

    Raises:
        BundleError: it is damaged, or needs a part, a version or a setting that is not here; all of it.
    """
    try:
        kept = _Kept.model_validate(data)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, detail["loc"])) or "all of it" for detail in error.errors())
        raise BundleError(Problem(f"the recipe is damaged: {places}", cure="make it again")) from None
    problems: list[Problem] = []
    if set(kept.parts) != set(SLOTS):
        odd = ", ".join(sorted(set(kept.parts) ^ set(SLOTS)))
        problems.append(
            Problem(f"its slots are not those of this zoo: {odd}", cure="a newer polyzoo may read it")
        )
    parts: dict[Slot, Choice] = {}
    for slot in SLOTS:
        choice = _choice(slot, kept.parts[slot], registry, problems) if slot in kept.parts else None
        if choice:
            parts[slot] = choice
    wanted = {name: model for name, model in sections.items() if name in kept.sections}
    chosen = {name: _settings(model, kept.sections[name], name, problems) for name, model in wanted.items()}
    mine = {name: value for name, value in kept.values.items() if name in keys.model_fields}
    values = _settings(keys, mine, "", problems)
    if not problems:
        problems = [problem for fault in misfits(parts) for problem in fault.problems]
    if problems:
        raise BundleError(*problems)
    return Stored(parts, chosen, values)


def read_part(slot: Slot, parts: Any, registry: Registry) -> Choice:
    """Find again one of the parts that `Recipe.to_json` kept; the others need not be here.

    Args:
        slot: which of them.
        parts: what was kept under "parts".
        registry: where parts are looked up.

    Raises:
        BundleError: it is damaged, or needs a part, a version or a setting that is not here; all of it.
    """
    try:
        kept = _Kept.model_validate({"parts": parts}).parts[slot]
    except (ValidationError, KeyError):
        raise BundleError(Problem("the recipe is damaged", slot, "make it again")) from None
    problems: list[Problem] = []
    choice = _choice(slot, kept, registry, problems)
    if choice is None:
        raise BundleError(*problems)
    return choice


def _choice(slot: Slot, kept: _Part, registry: Registry, problems: list[Problem]) -> Choice | None:
    entry = _entry(slot, kept, registry, problems)
    settings = _settings(entry.load_settings(), kept.settings, slot, problems) if entry else None
    return Choice(entry, settings) if entry and settings is not None else None


def _settings(model: type[Settings], values: Mapping[str, Any], head: str, problems: list[Problem]) -> Any:
    checked = check(model, values, head)
    problems += checked.problems
    return checked.settings


def _entry(slot: Slot, kept: _Part, registry: Registry, problems: list[Problem]) -> Entry | None:
    """The part that was kept, if it is here and its weights still mean the same."""
    where = f"{slot}={kept.name}"
    try:
        if names_file(kept.name) and not registry.trusts(kept.name):
            problems.append(Problem("it needs code from a file", where, "look at the file, then add --local"))
            return None
        version = kept.version if names_file(kept.name) else ""
        entry = named_part(slot, Word(slot, kept.name, "what was kept", version=version), registry)
    except ZooError as error:
        for problem in error.problems:
            problems.append(
                Problem(f"it needs {kept.name} {kept.version}: {problem.what}", slot, problem.cure)
            )
        return None
    outdated = _outdated(entry, kept)
    problems += outdated
    return None if outdated else entry


def _outdated(entry: Entry, kept: _Part) -> list[Problem]:
    here = entry.description.state_version
    if kept.state_version == here:
        return []
    package = f"pip install '{entry.distribution}=={kept.version}'"
    problem = Problem(
        f"its weights are of generation {kept.state_version}, those of {entry.source} are of {here}",
        f"{entry.slot}={kept.name}",
        f"`{package}` brings what wrote it" if entry.source.origin in ("shipped", "installed") else "",
    )
    return [problem]
