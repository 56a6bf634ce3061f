"""Load plugins in isolation, so that a broken one is reported and does not affect the others."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

import pluggy

from zoo.errors import PluginError, Problem
from zoo.limits import UTF_16, is_utf_16
from zoo.parts import API, SLOTS, Description
from zoo.parts.hooks import ZooSpec
from zoo.registry.entry import Entry, Health, Plugin, remedy, settings_fault
from zoo.registry.guard import remember, restoring_global_state
from zoo.registry.quiet import quiet_stdout
from zoo.registry.sources import Source


class _Fault(Exception):
    """The reason why a plugin cannot be used."""

    def __init__(self, what: str, health: Health = "failed") -> None:
        super().__init__(what)
        self.what = what
        self.health: Health = health


def load(source: Source, *, strict: bool = False) -> Plugin:
    """Load one plugin; a failure is recorded in the plugin that is returned.

    Args:
        source: where it comes from.
        strict: raise an error on failure, which helps to debug a plugin.

    Raises:
        PluginError: the plugin cannot be loaded and `strict` is set.
    """
    if source.off:
        return Plugin(source, "off", Problem(source.off, str(source)), _file(source))
    try:
        if source.broken:
            raise _Fault(source.broken)
        remember(source, _file(source))
        with quiet_stdout(), restoring_global_state() as changed:
            module = _guarded("importing it failed", lambda: _import(source))
            file = str(getattr(module, "__file__", "") or _file(source))
            entries = tuple(Entry(description, source, file) for description in _descriptions(module))
        if changed:
            raise _Fault(f"importing it changes global state: {' and '.join(changed)}")
        return Plugin(source, "ok", file=file, entries=entries)
    except _Fault as fault:
        problem = Problem(fault.what, f"plugin {source.name} ({source})", remedy(source))
        if strict:
            raise PluginError(problem) from fault.__cause__
        return Plugin(source, fault.health, problem, _file(source))


def _guarded(stage: str, action: Any) -> Any:
    """Run an action of the plugin and turn any exception into a fault with file and line."""
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        what = " ".join(str(error).split())
        raise _Fault(f"{stage}: {type(error).__name__}: {what}{_place(error)}") from error


def _place(error: BaseException) -> str:
    """The innermost line of the plugin's own code in a traceback; empty if there is none."""
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
    target: Any = importlib.import_module(module.strip())
    for attribute in filter(None, attributes.strip().split(".")):
        target = getattr(target, attribute)
    return target


class _FromSource(SourceFileLoader):
    """Always compiles the source: a .pyc file beside it may come from code that the user never inspected."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the file, compiled now."""
        content = self.get_data(self.path)
        if is_utf_16(content):
            raise ImportError(UTF_16)
        return self.source_to_code(content, self.path)


def _import_file(path: Path) -> Any:
    """Import a single file under a unique module name, to avoid clashes."""
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
    """The path of a plugin's code, without running any of it."""
    if source.is_file:
        return source.target
    try:
        spec = find_spec(re.split("[.:]", source.target)[0])
    except (ImportError, ValueError):
        return ""
    return str(spec.origin or "") if spec else ""


def _descriptions(module: Any) -> list[Description]:
    """The validated descriptions that the plugin's hook returns."""
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(ZooSpec)
    _guarded("its hook is invalid", lambda: manager.register(module))
    _guarded("its hook is invalid", manager.check_pending)
    hooks = manager.hook.zoo_parts.get_hookimpls()
    if not hooks:
        raise _Fault("it offers no parts: it needs a function zoo_parts() decorated with @zoo.parts.hookimpl")
    descriptions: list[Description] = []
    for hook in hooks:
        offered = _guarded("its hook zoo_parts failed", lambda hook=hook: _listed(hook.function()))
        descriptions += offered
    for number, description in enumerate(descriptions, start=1):
        _check(description, f"its part number {number}")
    names = [(description.slot, description.name) for description in descriptions]
    for slot, name in names:
        if names.count((slot, name)) > 1:
            raise _Fault(f"it offers {slot}.{name} twice")
    return descriptions


def _listed(offered: Any) -> list[Any]:
    if isinstance(offered, Description):
        raise TypeError("it returns a Description; return a list of them")
    if not isinstance(offered, Iterable) or isinstance(offered, str | bytes):
        raise TypeError(f"it returns {offered!r}, not a list of descriptions")
    return list(offered)


def _check(offered: Any, place: str) -> None:
    """Raise a fault if a description is invalid."""
    if not isinstance(offered, Description):
        raise _Fault(f"{place} is {offered!r}, not a zoo.parts.Description")
    place = f"{offered.slot}.{offered.name}"
    if offered.api != API:
        raise _Fault(
            f"{place} was written for API version {offered.api}; this zoo has {API}",
            "other api",
        )
    if offered.slot not in SLOTS:
        raise _Fault(f"{place}: there is no slot {offered.slot!r}; the slots are {', '.join(SLOTS)}")
    if not isinstance(offered.name, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", offered.name):
        raise _Fault(
            f"{place}: the name {offered.name!r} must consist of lower-case letters, digits and hyphens"
        )
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
        raise _Fault(f"{place}: gives and fit must be functions")
    if not isinstance(offered.training, Mapping) or not all(isinstance(key, str) for key in offered.training):
        raise _Fault(f"{place}: training must be a dict of training settings, such as {{'lr': 0.002}}")
    if offered.slot == "encoder" and offered.training:
        raise _Fault(f"{place}: an encoder is not trained, so it cannot propose training settings")
