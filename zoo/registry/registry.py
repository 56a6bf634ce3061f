"""The registry: all parts of all plugins.

Shipped plugins are fast to load and are loaded first. Third-party plugins are loaded only if no shipped part
has the name, because their code may be slow or broken.
"""

from __future__ import annotations

import copyreg
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from zoo.environment import is_on
from zoo.errors import PACKAGE, PluginError, Problem, UsageError
from zoo.parts import SLOTS, Slot
from zoo.registry.entry import Entry, Plugin
from zoo.registry.hints import unknown_part
from zoo.registry.loading import load
from zoo.registry.menu import Menu, merged_menu, shipped_menu, user_menu
from zoo.registry.sources import (
    SHIPPED,
    Source,
    file_source,
    installed_sources,
    left_out,
    local_sources,
    same_distribution,
    shipped_sources,
)

_FILE = re.compile(r"(?P<path>.*\.py)(:(?P<part>[^:/]+))?")


def names_file(name: str) -> bool:
    """Whether the name of a part is that of a file: `./my_attention.py` or `./my_parts.py:mine`."""
    return _FILE.fullmatch(name) is not None


def file_of(name: str) -> Path:
    """The path in the name of a part for which `names_file` is true."""
    match = _FILE.fullmatch(name)
    assert match is not None
    return Path(match["path"])


class Registry:
    """Parts by slot and name.

    Attributes:
        menu: the shipped defaults and recipes, overridden by those of the user.
        local: whether to run files that the user did not name explicitly.
    """

    def __init__(self, shipped: Menu, users: Menu, *, local: bool = False, strict: bool = False) -> None:
        self.menu = merged_menu(shipped, users)
        self.local = local
        self._strict = strict
        self._users = users
        self._shipped_sources = shipped_sources(shipped, users)
        self._loaded: dict[Source, Plugin] = {}

    def trusts(self, file: str) -> bool:
        """Whether to run code in a file that is named by a run, a bundle or a recipe, not by the user."""
        return self.local and not left_out(file)

    def default(self, slot: Slot) -> str:
        """The name of the default part of a slot."""
        return self.menu.defaults[slot]

    def entries(self, slot: Slot | None = None) -> list[Entry]:
        """All parts, in the order of the slots; loads all plugins."""
        return _parts([*self._shipped, *self._foreign], slot)

    def shipped_entries(self, slot: Slot | None = None) -> list[Entry]:
        """The shipped parts; loads no third-party code."""
        return _parts(self._shipped, slot)

    def plugins(self) -> list[Plugin]:
        """All plugins, with their health."""
        return [self._shadow(plugin) for plugin in [*self._shipped, *self._foreign]]

    def rivals(self, entry: Entry) -> list[Entry]:
        """Other parts with the same slot and name, so that the bare name does not select this one."""
        if entry.distribution == SHIPPED:
            return []
        same = [other for other in self.entries(entry.slot) if other.name == entry.name]
        return [other for other in same if other.source != entry.source]

    def word(self, entry: Entry) -> str:
        """The shortest unambiguous name: the bare name, or the qualified name if other parts share it."""
        return entry.qualified if entry.source.origin == "file" or self.rivals(entry) else entry.name

    def find(self, slot: Slot, name: str) -> Entry:
        """Look up a part by name: `history`, `polyzoo/history` or `./my_attention.py` (the file is run).

        Raises:
            UsageError: there is none.
            PluginError: its plugin is missing or broken, or two plugins offer it.
        """
        if names_file(name):
            return self._in_file(slot, name)
        distribution, _, bare = name.rpartition("/")
        if distribution:
            candidates = _parts(self._of_distribution(distribution), slot)
        else:
            candidates = _named(self.shipped_entries(slot), bare) or self._foreign_parts(slot)
        candidates = _named(candidates, bare)
        if not candidates:
            raise UsageError(unknown_part(slot, name, self.entries(), self.plugins()))
        if len(candidates) > 1:
            raise PluginError(_ambiguous(slot, name, candidates))
        candidates[0].load_settings()  # report invalid settings here, where the part is named
        return candidates[0]

    def in_file(self, name: str) -> list[Entry]:
        """Run a file and return its parts: all for `./my_parts.py`, one by name for `./my_parts.py:mine`.

        Raises:
            UsageError: there is no such file.
            PluginError: it is broken.
        """
        return _named_in(name, self._file_plugin(name, name))

    @cached_property
    def _shipped(self) -> list[Plugin]:
        return [self._load(source) for source in self._shipped_sources]

    @cached_property
    def _foreign_sources(self) -> list[Source]:
        return [*local_sources(self._users, local=self.local), *installed_sources(self._users)]

    @cached_property
    def _foreign(self) -> list[Plugin]:
        return [self._load(source) for source in self._foreign_sources]

    def _foreign_parts(self, slot: Slot) -> list[Entry]:
        return _parts(self._foreign, slot)

    def _load(self, source: Source) -> Plugin:
        if source.origin == "shipped":
            return _load_shipped(source, strict=self._strict)
        if source not in self._loaded:
            self._loaded[source] = load(source, strict=self._strict)
        return self._loaded[source]

    def _of_distribution(self, distribution: str) -> list[Plugin]:
        sources = self._shipped_sources
        if not same_distribution(distribution, SHIPPED):
            sources = [s for s in self._foreign_sources if same_distribution(s.distribution, distribution)]
        if not sources:
            install = f", or try `pip install {distribution}`" if PACKAGE.fullmatch(distribution) else ""
            hint = f"see `zoo plugin list`{install}"
            raise PluginError(Problem(f"no plugin {distribution} is installed", hint=hint))
        plugins = [self._load(source) for source in sources]
        working = [plugin for plugin in plugins if plugin.health == "ok"]
        if not working:
            raise PluginError(*(plugin.problem for plugin in plugins if plugin.problem))
        return working

    def _file_plugin(self, name: str, where: str) -> Plugin:
        path = file_of(name)
        if not path.is_file():
            raise UsageError(Problem("there is no such file", where))
        plugin = self._load(file_source(path, name.removesuffix(f":{_part_of(name)}")))
        if plugin.problem:
            raise PluginError(plugin.problem)
        return plugin

    def _in_file(self, slot: Slot, name: str) -> Entry:
        plugin = self._file_plugin(name, f"{slot}={name}")
        candidates = [entry for entry in _named_in(name, plugin) if entry.slot == slot]
        if len(candidates) == 1:
            candidates[0].load_settings()
            return candidates[0]
        words = ", ".join(f"{entry.slot}={entry.qualified}" for entry in candidates or plugin.entries)
        what = (
            f"the file contains several parts for {slot}"
            if candidates
            else f"the file contains no such {slot}"
        )
        raise UsageError(Problem(what, f"{slot}={name}", f"it contains {words}" if words else ""))

    def _shadow(self, plugin: Plugin) -> Plugin:
        others = {entry: self.rivals(entry) for entry in plugin.entries}
        taken = {entry: rivals for entry, rivals in others.items() if rivals}
        if not taken:
            return plugin
        what = ", ".join(f"{e.slot}.{e.name} by {r[0].source}" for e, r in taken.items())
        hint = "write " + ", ".join(f"{entry.slot}={entry.qualified}" for entry in taken)
        return replace(plugin, health="shadowed", problem=Problem(what, str(plugin.source), hint))


@cache
def _load_shipped(source: Source, *, strict: bool) -> Plugin:
    """Load a shipped plugin, once in a process: unlike a file of the user, it does not change meanwhile."""
    return load(source, strict=strict)


def _parts(plugins: Sequence[Plugin], slot: Slot | None) -> list[Entry]:
    entries = [entry for plugin in plugins for entry in plugin.entries if slot in (None, entry.slot)]
    return sorted(entries, key=lambda entry: SLOTS.index(entry.slot))


def _named(entries: Sequence[Entry], name: str) -> list[Entry]:
    return [entry for entry in entries if entry.name == name]


def _part_of(name: str) -> str | None:
    match = _FILE.fullmatch(name)
    return match["part"] if match else None


def _named_in(name: str, plugin: Plugin) -> list[Entry]:
    return [entry for entry in plugin.entries if _part_of(name) in (None, entry.name)]


def _ambiguous(slot: Slot, name: str, entries: Sequence[Entry]) -> Problem:
    sources = " and ".join(f"{entry.source} (plugin {entry.plugin})" for entry in entries)
    words = " or ".join(dict.fromkeys(f"{slot}={entry.qualified}" for entry in entries))
    return Problem(f"{sources} both offer it", f"{slot}={name}", f"write {words}")


def open_registry(folder: Path | None = None, *, local: bool = False) -> Registry:
    """Open the registry of all shipped and installed plugins and those in the folder's `registry.toml`.

    Environment variables: ZOO_PLUGINS=a,b loads only these third-party plugins (empty: none), ZOO_LOCAL=1
    also loads those that the folder's `registry.toml` lists, ZOO_STRICT=1 raises an error at a broken plugin.

    Args:
        folder: the folder of the user's `registry.toml`; the current folder by default.
        local: like ZOO_LOCAL=1, run code in files that are named by a bundle, a run or a `registry.toml`.

    Raises:
        UsageError: the user's `registry.toml` cannot be read, or a variable has an unknown value.
    """
    users = user_menu(folder or Path())
    return Registry(shipped_menu(), users, local=local or is_on("ZOO_LOCAL"), strict=is_on("ZOO_STRICT"))


def _find(slot: Slot, name: str) -> Entry:
    return open_registry().find(slot, name)


def _by_name(entry: Entry) -> tuple[Any, ...]:
    return _find, (entry.slot, entry.qualified)


# An entry pickles as its name; the unpickling process looks the part up in a registry of its own.
copyreg.pickle(Entry, _by_name)
