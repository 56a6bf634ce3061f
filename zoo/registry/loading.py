"""Loading plugins, each on its own, so that a broken one says what is wrong with it and breaks nothing."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Iterable
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

import pluggy

from zoo.errors import PluginError, Problem
from zoo.parts import API, SLOTS, Description
from zoo.parts.hooks import ZooSpec
from zoo.registry.entry import Entry, Health, Plugin, remedy, settings_fault
from zoo.registry.guard import put_back, remember
from zoo.registry.quiet import quiet_stdout
from zoo.registry.sources import Source


class _Fault(Exception):
    """Why a plugin cannot be used."""

    def __init__(self, what: str, health: Health = "failed") -> None:
        super().__init__(what)
        self.what = what
        self.health: Health = health


def load(source: Source, *, strict: bool = False) -> Plugin:
    """Load one plugin; what goes wrong is in what comes back.

    Args:
        source: where it comes from.
        strict: raise what goes wrong, for those who are writing a plugin.

    Raises:
        PluginError: it cannot be loaded, and `strict` asks to know.
    """
    if source.off:
        return Plugin(source, "off", Problem(source.off, str(source)), _file(source))
    try:
        if source.broken:
            raise _Fault(source.broken)
        remember(source, _file(source))
        with quiet_stdout(), put_back() as changed:
            module = _guarded("importing it failed", lambda: _import(source))
            file = str(getattr(module, "__file__", "") or _file(source))
            entries = tuple(Entry(description, source, file) for description in _descriptions(module))
        if changed:
            raise _Fault(f"importing it changes {' and '.join(changed)} for all code")
        return Plugin(source, "ok", file=file, entries=entries)
    except _Fault as fault:
        problem = Problem(fault.what, f"plugin {source.name} ({source})", remedy(source))
        if strict:
            raise PluginError(problem) from fault.__cause__
        return Plugin(source, fault.health, problem, _file(source))


def _guarded(stage: str, action: Any) -> Any:
    """Do something of the plugin's; any way it can fail becomes a fault that says where."""
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        what = " ".join(str(error).split())
        raise _Fault(f"{stage}: {type(error).__name__}: {what}{_place(error)}") from error


def _place(error: BaseException) -> str:
    """The last line of the plugin's own that led to an error, where it is known."""
    import pydantic

    ours = (
        "<",
        *(str(Path(str(module.__file__)).parent) for module in (importlib, pluggy, pydantic)),
        __file__,
    )
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(ours)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def _import(source: Source) -> Any:
    if source.is_file:
        return _import_file(Path(source.target))
    module, _, attributes = source.target.partition(":")
    found: Any = importlib.import_module(module.strip())
    for attribute in filter(None, attributes.strip().split(".")):
        found = getattr(found, attribute)
    return found


class _FromSource(SourceFileLoader):
    """Runs what stands in a file: compiled code beside it may be of another that was never read."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the file, compiled now."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _import_file(path: Path) -> Any:
    """Import a single file under a name of its own, so that it can clash with nothing."""
    path = path.resolve()
    name = f"zoo_file_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path, loader=_FromSource(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _file(source: Source) -> str:
    """Where a plugin's code should lie, without running any of it."""
    if source.is_file:
        return source.target
    try:
        spec = find_spec(re.split("[.:]", source.target)[0])
    except (ImportError, ValueError):
        return ""
    return str(spec.origin or "") if spec else ""


def _descriptions(module: Any) -> list[Description]:
    """What the plugin's hook returns, checked."""
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(ZooSpec)
    _guarded("its hook does not fit", lambda: manager.register(module))
    _guarded("its hook does not fit", manager.check_pending)
    hooks = manager.hook.zoo_parts.get_hookimpls()
    if not hooks:
        raise _Fault("it offers no parts: it needs a function zoo_parts() marked with @zoo.parts.hookimpl")
    found: list[Description] = []
    for hook in hooks:
        offered = _guarded("its hook zoo_parts failed", lambda hook=hook: _listed(hook.function()))
        found += offered
    for number, description in enumerate(found, start=1):
        _check(description, f"its part number {number}")
    names = [(description.slot, description.name) for description in found]
    for slot, name in names:
        if names.count((slot, name)) > 1:
            raise _Fault(f"it offers {slot}.{name} twice")
    return found


def _listed(offered: Any) -> list[Any]:
    if isinstance(offered, Description):
        raise TypeError("it returns a Description; return a list of them")
    if not isinstance(offered, Iterable) or isinstance(offered, str | bytes):
        raise TypeError(f"it returns {offered!r}, not a list of descriptions")
    return list(offered)


def _check(offered: Any, place: str) -> None:
    """Refuse a description that the rest of the zoo could not work with."""
    if not isinstance(offered, Description):
        raise _Fault(f"{place} is {offered!r}, not a zoo.parts.Description")
    place = f"{offered.slot}.{offered.name}"
    if offered.api != API:
        raise _Fault(
            f"{place} is of interface generation {offered.api}; this zoo's is {API}",
            "other api",
        )
    if offered.slot not in SLOTS:
        raise _Fault(f"{place}: there is no slot {offered.slot!r}; the slots are {', '.join(SLOTS)}")
    if not isinstance(offered.name, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", offered.name):
        raise _Fault(f"{place}: the name {offered.name!r} is not lower case, digits and hyphens")
    if not isinstance(offered.target, type) and not re.fullmatch(r"[\w.]+:\w+", str(offered.target)):
        raise _Fault(f"{place}: the target {offered.target!r} is neither a class nor 'module:Class'")
    if not isinstance(offered.summary, str) or not offered.summary.strip():
        raise _Fault(f"{place} has no summary")
    if isinstance(offered.settings, str):
        if not re.fullmatch(r"[\w.]+:\w+", offered.settings):
            raise _Fault(f"{place}: the settings {offered.settings!r} are neither a class nor 'module:Class'")
    elif settings_fault(offered.settings):
        raise _Fault(f"{place}: {settings_fault(offered.settings)}")
    if not callable(offered.gives) or not callable(offered.fit):
        raise _Fault(f"{place}: gives and fit are functions")
