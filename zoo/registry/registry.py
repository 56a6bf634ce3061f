"""The registry: every part the zoo knows of, and who brought it.

Shipped plugins are light and loaded first. Foreign ones are loaded only when a shipped part does not
answer, because their code may be slow, broken or unknown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from zoo.errors import PluginError, Problem, UsageError
from zoo.parts import SLOTS, Slot
from zoo.registry.entry import Entry, Plugin
from zoo.registry.hints import unknown_part
from zoo.registry.loading import load
from zoo.registry.menu import Menu, laid_over, shipped_menu, users_menu
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
    """Whether a part is named by its file: `./my_attention.py` or `./my_parts.py:mine`."""
    return _FILE.fullmatch(name) is not None


def file_of(name: str) -> Path:
    """The file in the name of a part, of which `names_file` is true."""
    match = _FILE.fullmatch(name)
    assert match is not None
    return Path(match["path"])


class Registry:
    """Parts by slot and name.

    Attributes:
        menu: defaults and recipes, the user's laid over the shipped ones.
        local: whether files that the user did not name himself may be run.
    """

    def __init__(self, shipped: Menu, users: Menu, *, local: bool = False, strict: bool = False) -> None:
        self.menu = laid_over(shipped, users)
        self.local = local
        self._strict = strict
        self._users = users
        self._shipped_sources = shipped_sources(shipped, users)
        self._loaded: dict[Source, Plugin] = {}

    def trusts(self, file: str) -> bool:
        """Whether code in a file may be run that the user did not name, but a run, a bundle or a recipe."""
        return self.local and not left_out(file)

    def default(self, slot: Slot) -> str:
        """The name of the part that fills the slot when the user says nothing."""
        return self.menu.defaults[slot]

    def entries(self, slot: Slot | None = None) -> list[Entry]:
        """Every part on offer, in the order of the slots."""
        return _parts([*self._shipped, *self._foreign], slot)

    def shipped_entries(self, slot: Slot | None = None) -> list[Entry]:
        """The parts that came with the zoo; loads no foreign code."""
        return _parts(self._shipped, slot)

    def plugins(self) -> list[Plugin]:
        """Every plugin that was found, with its health."""
        return [self._shadow(plugin) for plugin in [*self._shipped, *self._foreign]]

    def rivals(self, entry: Entry) -> list[Entry]:
        """The other parts of the same slot and name, of which one has the bare name or none has."""
        if entry.distribution == SHIPPED:
            return []
        same = [other for other in self.entries(entry.slot) if other.name == entry.name]
        return [other for other in same if other.source != entry.source]

    def word(self, entry: Entry) -> str:
        """What to type to get this part: its name, or its qualified name where others have the same."""
        return entry.qualified if entry.source.origin == "file" or self.rivals(entry) else entry.name

    def find(self, slot: Slot, name: str) -> Entry:
        """The part of that name: `history`, `polyzoo/history` or `./my_attention.py`.

        A file that is named is run.

        Raises:
            UsageError: there is none.
            PluginError: its plugin is missing or broken, or two plugins offer it.
        """
        if names_file(name):
            return self._in_file(slot, name)
        distribution, _, bare = name.rpartition("/")
        if distribution:
            found = _parts(self._of_distribution(distribution), slot)
        else:
            found = _named(self.shipped_entries(slot), bare) or self._foreign_parts(slot)
        found = _named(found, bare)
        if not found:
            raise UsageError(unknown_part(slot, name, self.entries(), self.plugins()))
        if len(found) > 1:
            raise PluginError(_ambiguous(slot, name, found))
        found[0].load_settings()  # what is wrong with them is told here, where the part is named
        return found[0]

    def in_file(self, name: str) -> list[Entry]:
        """The parts in a file, which is run: all of `./my_parts.py`, those called so of `./my_parts.py:mine`.

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
        if source not in self._loaded:
            self._loaded[source] = load(source, strict=self._strict)
        return self._loaded[source]

    def _of_distribution(self, distribution: str) -> list[Plugin]:
        sources = self._shipped_sources
        if not same_distribution(distribution, SHIPPED):
            sources = [s for s in self._foreign_sources if same_distribution(s.distribution, distribution)]
        if not sources:
            raise PluginError(
                Problem(
                    f"no plugin {distribution} is installed",
                    cure=f"`zoo plugin list` shows what was found; `pip install {distribution}` may bring it",
                )
            )
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
        found = [entry for entry in _named_in(name, plugin) if entry.slot == slot]
        if len(found) == 1:
            found[0].load_settings()
            return found[0]
        words = ", ".join(f"{entry.slot}={entry.qualified}" for entry in found or plugin.entries)
        what = "the file holds several" if found else f"the file holds no such {slot}"
        raise UsageError(Problem(what, f"{slot}={name}", f"it holds {words}" if words else ""))

    def _shadow(self, plugin: Plugin) -> Plugin:
        others = {entry: self.rivals(entry) for entry in plugin.entries}
        taken = {entry: rivals for entry, rivals in others.items() if rivals}
        if not taken:
            return plugin
        what = ", ".join(f"{e.slot}.{e.name} by {r[0].source}" for e, r in taken.items())
        cure = "write " + ", ".join(f"{entry.slot}={entry.qualified}" for entry in taken)
        return replace(plugin, health="shadowed", problem=Problem(what, str(plugin.source), cure))


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


def _ambiguous(slot: Slot, name: str, found: Sequence[Entry]) -> Problem:
    who = " and ".join(f"{entry.source} (plugin {entry.plugin})" for entry in found)
    words = " or ".join(dict.fromkeys(f"{slot}={entry.qualified}" for entry in found))
    return Problem(f"{who} both offer it", f"{slot}={name}", f"write {words}")


def open_registry(folder: Path | None = None, *, local: bool = False) -> Registry:
    """Every part that came with the zoo, is installed, or is named in the folder's `registry.toml`.

    The environment decides what is loaded: ZOO_PLUGINS=a,b only these foreign plugins (empty: none),
    ZOO_LOCAL=1 also what the folder's `registry.toml` lists, ZOO_STRICT=1 raises at a broken plugin.

    Args:
        folder: where the user's `registry.toml` lies; the current folder by default.
        local: as ZOO_LOCAL=1, run code in files that a bundle, a run or a `registry.toml` names.

    Raises:
        UsageError: the user's `registry.toml` cannot be read.
    """
    users = users_menu(folder or Path())
    return Registry(shipped_menu(), users, local=local or _is_set("ZOO_LOCAL"), strict=_is_set("ZOO_STRICT"))


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")
