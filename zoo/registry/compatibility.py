"""Compatibility of the parts of a recipe, checked from their descriptions without building them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from zoo.errors import PluginError, Problem, UsageError, ZooError
from zoo.parts import Fact, Slot
from zoo.registry.entry import Entry, remedy
from zoo.registry.guard import guarded


@dataclass(frozen=True)
class Choice:
    """The part chosen for a slot.

    Attributes:
        entry: the registered part.
        settings: all its settings.
    """

    entry: Entry
    settings: Any


def facts(parts: Mapping[Slot, Choice]) -> dict[str, Fact]:
    """The facts that the parts give, keyed "slot.fact" ("encoder.codes").

    Raises:
        PluginError: a part's `gives` fails or returns something that is not a fact.
    """
    known: dict[str, Fact] = {}
    for slot, choice in parts.items():
        with guarded_part(choice.entry, "gives"):
            given = dict(choice.entry.description.gives(choice.settings))
        for name, fact in given.items():
            if not isinstance(fact, int | bool | str):
                with guarded_part(choice.entry, "gives"):
                    raise TypeError(f"{name}={fact!r} is not an int, bool or str")
            known[f"{slot}.{name}"] = fact
    return known


def incompatibilities(parts: Mapping[Slot, Choice]) -> list[ZooError]:
    """The reasons why the chosen parts cannot be combined; empty if they can."""
    try:
        known = facts(parts)
    except PluginError as error:
        return [error]
    errors: list[ZooError] = []
    for slot, choice in parts.items():
        try:
            with guarded_part(choice.entry, "fit"):
                problems = list(choice.entry.description.fit(choice.settings, known))
        except PluginError as error:
            errors.append(error)
            continue
        where = f"{slot}={choice.entry.name}"
        errors += [UsageError(Problem(p.what, p.where or where, p.hint)) for p in problems]
    return errors


def guarded_part(entry: Entry, what: str) -> AbstractContextManager[None]:
    """A context in which errors and side effects of a part's own code are attributed to it; see `guarded`."""
    return guarded(f"its {what}", f"{entry.slot}.{entry.name} of {entry.source}", remedy(entry.source))
