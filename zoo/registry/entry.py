"""What the registry knows: plugins, where they come from, and the parts they offer."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from zoo.errors import Problem
from zoo.parts import Description, Slot

Origin = Literal["shipped", "installed", "local"]
Health = Literal["ok", "off", "failed", "other api", "shadowed"]


@dataclass(frozen=True)
class Source:
    """Where a plugin comes from, known before any of its code runs.

    Attributes:
        name: what `registry.toml` or the entry point calls it.
        origin: came with the zoo, was installed by pip, or is a file or module of the user's own.
        target: "module", "module:object" or the path of a file.
        distribution: what pip calls the package; a local plugin goes by its own name.
        version: of the distribution; of a file, the first digits of its sha256.
        off: why it is not to be loaded; empty where it is.
    """

    name: str
    origin: Origin
    target: str
    distribution: str
    version: str = ""
    off: str = ""


@dataclass(frozen=True)
class Entry:
    """A part on offer: its description and who brought it.

    Attributes:
        description: what the part says of itself.
        source: the plugin that offers it.
        file: where the plugin's code lies.
    """

    description: Description
    source: Source
    file: str = ""

    @property
    def slot(self) -> Slot:
        """Which of the five places the part fills."""
        return self.description.slot

    @property
    def name(self) -> str:
        """What users type."""
        return self.description.name

    @property
    def plugin(self) -> str:
        """The plugin's name."""
        return self.source.name

    @property
    def distribution(self) -> str:
        """What pip calls the package."""
        return self.source.distribution

    @property
    def version(self) -> str:
        """The version of the distribution."""
        return self.source.version

    @property
    def qualified(self) -> str:
        """The name that means this part whatever else is installed: `polyzoo/history`."""
        return f"{self.distribution}/{self.name}"

    def load(self) -> Any:
        """The part's class; imports torch, if nothing has yet."""
        target = self.description.target
        if isinstance(target, type):
            return target
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)


@dataclass(frozen=True)
class Plugin:
    """A plugin as it was found: what it offers, or what is wrong with it.

    Attributes:
        source: where it comes from.
        health: whether its parts can be used.
        problem: why not.
        file: where its code lies.
        entries: the parts it offers; none unless it is ok.
    """

    source: Source
    health: Health
    problem: Problem | None = None
    file: str = ""
    entries: tuple[Entry, ...] = field(default=())
