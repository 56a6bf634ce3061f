"""What plugins turn into when they are loaded: the parts they offer, or what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import PluginError, Problem
from zoo.parts import Description, Slot
from zoo.parts.description import imported
from zoo.registry.guard import culprit, guarded, told
from zoo.registry.quiet import quiet_stdout
from zoo.registry.sources import SHIPPED, Source

if TYPE_CHECKING:
    from zoo.parts import Settings

Health = Literal["ok", "off", "failed", "other api", "shadowed"]


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the name: the process that unpickles it finds the part in its own registry."""
        return found_entry, (self.slot, self.qualified)

    def __deepcopy__(self, memo: dict[int, Any]) -> Entry:
        return self

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
        mark = ":" if self.source.origin == "file" else "/"
        return f"{self.distribution}{mark}{self.name}"

    @property
    def portable(self) -> str:
        """The name that means this part on any machine: shipped parts keep their bare names."""
        return self.name if self.distribution == SHIPPED else self.qualified

    def load_settings(self) -> type[Settings]:
        """What a user may set of the part; imports pydantic, if nothing has yet.

        Raises:
            PluginError: there is no such class, importing it fails, or it cannot be used as settings.
        """
        settings: type[Settings] = self._imported(self.description.settings)
        fault = settings_fault(settings)
        if fault:
            raise PluginError(Problem(fault, self.place, remedy(self.source)))
        return settings

    def load(self) -> Any:
        """The part's class; imports torch, if nothing has yet.

        Raises:
            PluginError: there is no such class, or importing it fails.
        """
        return self._imported(self.description.target)

    def _imported(self, target: str | type) -> Any:
        with quiet_stdout(), guarded(f"importing its class {target}", self.place, remedy(self.source)):
            return imported(target)

    @property
    def place(self) -> str:
        """What it is called where it answers for something: `attention=mine of ./mine.py 0123456789ab`."""
        return f"{self.slot}={self.name} of {self.source}"


def found_entry(slot: Slot, name: str) -> Entry:
    """The part of that name in the registry of this process; code in a file that is named is run."""
    from zoo.registry.registry import open_registry

    return open_registry().find(slot, name)


def settings_fault(settings: Any) -> str:
    """Why a class cannot be the settings of a part; empty where it can."""
    from zoo.parts import Settings

    if not isinstance(settings, type) or not issubclass(settings, Settings):
        return "its settings are not a subclass of zoo.parts.Settings"
    needed = [name for name, field in settings.model_fields.items() if field.is_required()]
    return f"its settings have no defaults for {', '.join(needed)}" if needed else ""


@dataclass(frozen=True)
class Plugin:
    """A plugin as it was found.

    Attributes:
        source: where it comes from.
        health: whether its parts can be used by their bare names.
        problem: why not.
        file: where its code lies; empty where nobody knows.
        entries: the parts it offers.
    """

    source: Source
    health: Health
    problem: Problem | None = None
    file: str = ""
    entries: tuple[Entry, ...] = ()

    def tried(self) -> Plugin:
        """The same once the settings of its parts were loaded too, else left until they are used."""
        faults = []
        for entry in self.entries:
            try:
                entry.load_settings()
            except PluginError as error:
                faults += [f"{entry.slot}.{entry.name}: {problem.what}" for problem in error.problems]
        if not faults:
            return self
        problem = Problem(
            "; ".join(faults), f"plugin {self.source.name} ({self.source})", remedy(self.source)
        )
        return replace(self, health="failed", problem=problem)


def remedy(source: Source) -> str:
    """What a user does about a plugin that does not work."""
    match source.origin:
        case "shipped":
            return "it came with the zoo: install polyzoo anew"
        case "installed":
            return f"mend it, or remove it with `pip uninstall {source.distribution}`"
        case "local":
            return f"mend it, or write `{source.name} = false` under [plugins] in ./registry.toml"
        case "file":
            return f"mend {source.distribution}"


def answer_for(error: BaseException) -> PluginError | None:
    """The error of the plugin whose code led to what the zoo did not foresee; None where none did."""
    source = culprit(error)
    if source is None:
        return None
    return PluginError(
        Problem(f"it failed: {told(error)}", f"plugin {source.name} ({source})", remedy(source))
    )
