"""The registry: every part the zoo knows of, and who brought it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import zoo
from zoo.errors import Problem, UsageError
from zoo.parts import SLOTS, Slot
from zoo.registry.entry import Entry, Source
from zoo.registry.menu import Menu, shipped_menu


class Registry:
    """Parts by slot and name."""

    def __init__(self, menu: Menu) -> None:
        self.menu = menu
        self._entries: list[Entry] | None = None

    def default(self, slot: Slot) -> str:
        """The name of the part that fills the slot when the user says nothing."""
        return self.menu.defaults[slot]

    def entries(self, slot: Slot | None = None) -> list[Entry]:
        """The parts on offer, in the order of the slots."""
        if self._entries is None:
            self._entries = self._load()
        ordered = sorted(self._entries, key=lambda entry: SLOTS.index(entry.slot))
        return [entry for entry in ordered if slot in (None, entry.slot)]

    def find(self, slot: Slot, name: str) -> Entry:
        """The part of that name (`history` or `polyzoo/history`).

        Raises:
            UsageError: there is none.
        """
        for entry in self.entries(slot):
            if name in (entry.name, entry.qualified):
                return entry
        raise UsageError(Problem(f"there is no {slot} of that name", f"{slot}={name}"))

    def _load(self) -> list[Entry]:
        entries = []
        for name, target in self.menu.plugins.items():
            source = Source(name, "shipped", str(target), "polyzoo", zoo.__version__)
            module = import_module(source.target)
            if hasattr(module, "zoo_parts"):
                parts = module.zoo_parts()
                entries += [Entry(description, source, str(module.__file__)) for description in parts]
        return entries


def open_registry(folder: Path | None = None) -> Registry:
    """The parts that shipped with the zoo, are installed, or are named in the folder's registry.toml."""
    return Registry(shipped_menu())
