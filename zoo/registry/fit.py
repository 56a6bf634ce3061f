"""Whether parts fit each other, by what they say of themselves; nothing is built for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.errors import PluginError, Problem, UsageError, ZooError
from zoo.parts import Fact, Slot
from zoo.registry.entry import Entry, remedy


@dataclass(frozen=True)
class Choice:
    """The part that stands in a slot.

    Attributes:
        entry: the part and who brought it.
        settings: its settings, all of them.
    """

    entry: Entry
    settings: Any


def facts(parts: Mapping[Slot, Choice]) -> dict[str, Fact]:
    """What the parts say of themselves, keyed "slot.fact" ("encoder.codes").

    Raises:
        PluginError: a part fails to say it, or says what is no fact.
    """
    found: dict[str, Fact] = {}
    for slot, choice in parts.items():
        try:
            given = dict(choice.entry.description.gives(choice.settings))
        except Exception as error:
            raise PluginError(blamed(choice.entry, "gives", error)) from error
        for name, fact in given.items():
            if not isinstance(fact, int | bool | str):
                raise PluginError(blamed(choice.entry, "gives", TypeError(f"{name}={fact!r} is no fact")))
            found[f"{slot}.{name}"] = fact
    return found


def misfits(parts: Mapping[Slot, Choice]) -> list[ZooError]:
    """What keeps the chosen parts from working together."""
    try:
        known = facts(parts)
    except PluginError as error:
        return [error]
    found: list[ZooError] = []
    for slot, choice in parts.items():
        try:
            problems = list(choice.entry.description.fit(choice.settings, known))
        except Exception as error:
            found.append(PluginError(blamed(choice.entry, "fit", error)))
            continue
        where = f"{slot}={choice.entry.name}"
        found += [UsageError(Problem(p.what, p.where or where, p.cure)) for p in problems]
    return found


def blamed(entry: Entry, what: str, error: Exception) -> Problem:
    """The problem of a part whose own code failed."""
    return Problem(
        f"its {what} failed: {type(error).__name__}: {error}",
        f"{entry.slot}.{entry.name} of {entry.source}",
        remedy(entry.source),
    )
