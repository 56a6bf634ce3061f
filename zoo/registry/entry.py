"""Loaded plugins: the parts that they offer, or the reason why they failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import PluginError, Problem
from zoo.parts import Description, Slot
from zoo.parts.description import imported
from zoo.registry.guard import culprit, describe_error, guarded
from zoo.registry.quiet import quiet_stdout
from zoo.registry.sources import SHIPPED, Source

if TYPE_CHECKING:
    from zoo.parts import Settings

Health = Literal["ok", "off", "failed", "other api", "shadowed"]


@dataclass(frozen=True)
class Entry:
    """A registered part: its description and the plugin that offers it.

    Attributes:
        description: the part's description.
        source: the plugin that offers it.
        file: the path of the plugin's code.
    """

    description: Description
    source: Source
    file: str = ""

    def __deepcopy__(self, memo: dict[int, Any]) -> Entry:
        return self

    @property
    def slot(self) -> Slot:
        """The slot of the part."""
        return self.description.slot

    @property
    def name(self) -> str:
        """The name that users type."""
        return self.description.name

    @property
    def plugin(self) -> str:
        """The name of the plugin."""
        return self.source.name

    @property
    def distribution(self) -> str:
        """The name of the distribution package."""
        return self.source.distribution

    @property
    def version(self) -> str:
        """The version of the distribution."""
        return self.source.version

    @property
    def qualified(self) -> str:
        """The unambiguous name: `polyzoo/history`, or `./my_parts.py:mine` for a part in a file."""
        separator = ":" if self.source.origin == "file" else "/"
        return f"{self.distribution}{separator}{self.name}"

    @property
    def portable(self) -> str:
        """The name that identifies the part on any machine: bare for a shipped part, else qualified."""
        return self.name if self.distribution == SHIPPED else self.qualified

    def load_settings(self) -> type[Settings]:
        """The settings class of the part; imports pydantic.

        Raises:
            PluginError: there is no such class, importing it fails, or it is not a valid settings class; or
                the part proposes training settings that are invalid.
        """
        settings: type[Settings] = self._imported(self.description.settings)
        fault = settings_fault(settings) or _training_fault(self.description)
        if fault:
            raise PluginError(Problem(fault, self.place, remedy(self.source)))
        return settings

    def load(self) -> Any:
        """The class of the part; imports torch.

        Raises:
            PluginError: there is no such class, or importing it fails.
        """
        return self._imported(self.description.target)

    def _imported(self, target: str | type) -> Any:
        with quiet_stdout(), guarded(f"importing its class {target}", self.place, remedy(self.source)):
            return imported(target)

    @property
    def place(self) -> str:
        """How error messages refer to the part: `attention=mine of ./mine.py 0123456789ab`."""
        return f"{self.slot}={self.name} of {self.source}"


def settings_fault(settings: Any) -> str:
    """Why a class is not a valid settings class; empty if it is."""
    from zoo.parts import Settings

    if not isinstance(settings, type) or not issubclass(settings, Settings):
        return "its settings are not a subclass of zoo.parts.Settings"
    required = [name for name, field in settings.model_fields.items() if field.is_required()]
    return f"its settings have no defaults for {', '.join(required)}" if required else ""


def _training_fault(description: Description) -> str:
    """Why the training settings that a part proposes are invalid; empty if they are not."""
    if not description.training:
        return ""
    from zoo.parts.training import proposal_fault

    return proposal_fault(description.training)


@dataclass(frozen=True)
class Plugin:
    """A plugin after loading.

    Attributes:
        source: where it comes from.
        health: whether its parts can be used by their bare names.
        problem: why not; None if they can.
        file: the path of its code; empty if unknown.
        entries: the parts that it offers.
    """

    source: Source
    health: Health
    problem: Problem | None = None
    file: str = ""
    entries: tuple[Entry, ...] = ()

    def with_settings_loaded(self) -> Plugin:
        """The plugin after loading the settings of its parts, otherwise deferred until they are used."""
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
    """The hint for a plugin that does not work."""
    match source.origin:
        case "shipped":
            return "this plugin is part of polyzoo: reinstall polyzoo"
        case "installed":
            return f"fix it, or remove it with `pip uninstall {source.distribution}`"
        case "local":
            return f"fix it, or write `{source.name} = false` under [plugins] in ./registry.toml"
        case "file":
            return f"fix {source.distribution}"


def plugin_error(error: BaseException) -> PluginError | None:
    """An unexpected exception as an error of the plugin whose code raised it; None if no plugin did."""
    source = culprit(error)
    if source is None:
        return None
    return PluginError(
        Problem(f"it failed: {describe_error(error)}", f"plugin {source.name} ({source})", remedy(source))
    )
