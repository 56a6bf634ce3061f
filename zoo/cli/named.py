"""Slots and parts on the command line, and their completion in a shell."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from zoo.errors import Problem, UsageError
from zoo.parts import SLOTS, Slot
from zoo.registry import Entry, Registry, open_registry
from zoo.registry.hints import closest


def one_slot(name: str, place: str) -> Slot:
    """The slot of that name.

    Raises:
        UsageError: there is none.
    """
    for slot in SLOTS:
        if slot == name:
            return slot
    near = closest(name, SLOTS)
    hint = f"did you mean {near}" if near else f"the slots are {', '.join(SLOTS)}"
    raise UsageError(Problem(f"{place} takes a slot, but {name} is not a slot", hint=hint))


def named_part(part: str, registry: Registry, place: str) -> Entry:
    """The part with the name SLOT.NAME.

    Raises:
        UsageError: the word has another form, or there is no such part.
        PluginError: its plugin is missing or broken, or two plugins offer it.
    """
    head, dot, name = part.partition(".")
    if not dot or not name:
        head = part.rstrip(".")
        named = [f"{place} {e.slot}.{e.name}" for e in registry.entries() if e.name == head]
        hint = " or ".join(named) or f"for example {place} attention.history"
        if head in SLOTS:
            hint = f"`zoo list {head}` shows those of this slot"
        raise UsageError(Problem("a part is named by its slot and its name", part, hint))
    return registry.find(one_slot(head, place), name)


def complete_slot(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Slots with this prefix."""
    return [slot for slot in SLOTS if slot.startswith(incomplete)]


def complete_part(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """`SLOT.` at first, then `SLOT.NAME`."""
    if "." not in incomplete:
        return [CompletionItem(f"{slot}.") for slot in SLOTS if slot.startswith(incomplete)]
    registry = open_registry()
    entries = {f"{e.slot}.{registry.word(e)}": e.description.summary for e in registry.entries()}
    return [CompletionItem(word, help=line) for word, line in entries.items() if word.startswith(incomplete)]
