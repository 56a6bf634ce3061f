"""Whether parts fit each other, by what they say of themselves; nothing is built for that."""

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
        with answering(choice.entry, "gives"):
            given = dict(choice.entry.description.gives(choice.settings))
        for name, fact in given.items():
            if not isinstance(fact, int | bool | str):
                with answering(choice.entry, "gives"):
                    raise TypeError(f"{name}={fact!r} is no fact")
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
            with answering(choice.entry, "fit"):
                problems = list(choice.entry.description.fit(choice.settings, known))
        except PluginError as error:
            found.append(error)
            continue
        where = f"{slot}={choice.entry.name}"
        found += [UsageError(Problem(p.what, p.where or where, p.cure)) for p in problems]
    return found


def answering(entry: Entry, what: str) -> AbstractContextManager[None]:
    """A block in which a part's own code runs and answers for what it does; see `guarded`."""
    return guarded(f"its {what}", f"{entry.slot}.{entry.name} of {entry.source}", remedy(entry.source))
