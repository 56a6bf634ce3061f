"""Checks of a description, of its settings, and of the part that is built from it."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from zoo.model.build import INTERFACES
from zoo.parts import API, Settings
from zoo.parts.interfaces import Attention, Encoder
from zoo.parts.training import proposal_fault
from zoo.registry.fields import live
from zoo.registry.values import members
from zoo.testing.calls import outputs
from zoo.testing.check import NotApplicableError, check, require
from zoo.testing.music import random_music, real_sizes
from zoo.testing.under_test import PartUnderTest, facts


@check(
    hint="give the description a name of lower-case letters, digits and hyphens, a summary of one line, and "
    "only training settings that zoo.parts.training lists"
)
def description_is_complete(tested: PartUnderTest) -> None:
    """The description has a valid name, a one-line summary, this API version, and valid training settings."""
    description = tested.description
    require(re.fullmatch(r"[a-z0-9][a-z0-9-]*", description.name) is not None, f"name {description.name!r}")
    summary = description.summary
    require(bool(summary.strip()) and "\n" not in summary, f"summary {summary!r}")
    require(description.api == API, f"API version {description.api}; this zoo has {API}")
    fault = proposal_fault(description.training)
    require(not fault, fault)


@check(
    hint="import torch (and what needs it) in the module of the class, and name the class as 'module:Class'",
    optional=True,
)
def plugin_loads_without_torch(tested: PartUnderTest) -> None:
    """Loading the plugin and reading its descriptions does not import torch."""
    source = tested.source
    if source is None:
        raise NotApplicableError("the description was given directly, not by a plugin")
    if source.is_file:
        raise NotApplicableError("a plugin in a single file contains its class as well")
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from zoo.registry.loading import load\n"
        "from zoo.registry.sources import Source\n"
        f"plugin = load({source!r})\n"
        "sys.exit('torch' if 'torch' in sys.modules else str(plugin.problem or ''))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    message = done.stderr.strip()
    require(message != "torch", f"loading {source.target} imports torch")
    require(not message, f"loading {source.target} failed: {message[-300:]}")


def choices(field: FieldInfo) -> tuple[Any, ...]:
    """All values of a setting that is a Literal or a bool; empty for any other."""
    kinds = members(field.annotation)
    literals = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    return (*literals, *((True, False) if bool in kinds else ()))


@check(hint="define each setting with zoo.parts.setting(default, help, ge=..., le=...), or as a Literal")
def settings_are_documented(tested: PartUnderTest) -> None:
    """Every setting has a help text, bounds or choices, and a default within them."""
    settings = type(tested.settings)
    require(issubclass(settings, Settings), f"{settings.__name__} is not a subclass of zoo.parts.Settings")
    require(bool(settings.model_config.get("frozen")), "settings can be modified after validation")
    require(settings.model_config.get("extra") == "forbid", "unknown settings are not rejected")
    for name, field in settings.model_fields.items():
        require(bool((field.description or "").strip()), f"{name} has no help text")
        require(bool(field.metadata or choices(field)), f"{name} has neither bounds nor choices")
        require(not field.is_required(), f"{name} has no default")
    defaults = settings()
    settings(**{name: getattr(defaults, name) for name in settings.model_fields})


@check(
    hint="subclass the slot's interface in zoo.parts.interfaces, with __init__(settings, sizes), or "
    "__init__(settings) for an encoder"
)
def builds_by_default(tested: PartUnderTest) -> None:
    """The default settings build a part of the right slot, at small sizes and at those of a piano."""
    target = tested.target
    interface = INTERFACES[tested.slot]
    is_subclass = inspect.isclass(target) and issubclass(target, interface)
    require(is_subclass, f"{target} is not a subclass of {interface.__name__}")
    tested.build()
    if tested.slot != "encoder":
        sizes = real_sizes()
        part = tested.build(sizes=sizes)
        outputs(part, tested.slot, random_music(sizes, batch=2, frames=3))


@check(hint="compute the sizes in `gives` and in the class from the same settings")
def sizes_are_as_declared(tested: PartUnderTest) -> None:
    """The facts that the description gives are those of the built part."""
    part = tested.build()
    given = tested.description.gives(tested.settings)
    built: dict[str, Any] = {}
    if isinstance(part, Encoder):
        built = {"codes": part.codes, "plane": part.plane, "inputs": part.inputs}
        complete = "codes" in given and "plane" in given
        require(complete, f"an encoder must give codes and plane, not {dict(given)}")
        given = {"inputs": given["codes"], **given}
    if isinstance(part, Attention):
        built = {"features": part.features}
        require(isinstance(part.features, int) and part.features > 0, f"features is {part.features!r}")
    for fact, value in given.items():
        require(isinstance(value, (int, bool, str)), f"{fact} is {value!r}, not an int, bool or str")
        require(fact not in built or built[fact] == value, f"{fact}: gives {value}, built {built.get(fact)}")


def variants(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """Settings that differ in one field: every other choice, and the lower bound."""
    for name, field in type(settings).model_fields.items():
        values = list(choices(field))
        for bound in field.metadata:
            lowest = getattr(bound, "ge", None)
            exclusive = getattr(bound, "gt", None)
            if exclusive is not None:
                lowest = exclusive + 1 if field.annotation is int else exclusive + 1e-3
            if lowest is not None:
                values.append(lowest)
        for value in values:
            if value != getattr(settings, name):
                yield name, _changed(settings, name, value)


def _changed(settings: Settings, name: str, value: Any) -> Settings:
    return type(settings)(**{**dict(settings), name: value})


@check(hint="narrow the bounds of the setting to values that the part supports", optional=True)
def settings_work_at_their_bounds(tested: PartUnderTest) -> None:
    """Every choice and lower bound that `fit` allows builds a part that generates, scores and trains."""
    tried = 0
    for name, settings in variants(tested.settings):
        if list(tested.description.fit(settings, facts(tested.sizes))):
            continue
        tried += 1
        part = tested.build(settings=settings)
        value = getattr(settings, name)
        for what, output in outputs(part, tested.slot, random_music(part.sizes, 2, 3)).items():
            require(output.isfinite().all(), f"{name}={value}: {what} is not finite")
    if not tried:
        raise NotApplicableError("the part has no setting with a choice or a lower bound")


@check(hint="read live settings from self.settings at each use, or do not declare them live", optional=True)
def live_settings_take_effect(tested: PartUnderTest) -> None:
    """A live setting can be replaced on a built part, without changing a weight."""
    fields = type(tested.settings).model_fields
    live_names = {name for name, field in fields.items() if live(field)}
    if not live_names:
        raise NotApplicableError("the part has no live setting")
    for name, settings in variants(tested.settings):
        if name not in live_names:
            continue
        built, replaced = tested.build(settings=settings), tested.build()
        replaced.settings = settings
        music = random_music(built.sizes, 2, 4)
        expected = outputs(built, tested.slot, music)
        for what, output in outputs(replaced, tested.slot, music).items():
            equal = bool((output == expected[what]).all())
            require(equal, f"{name}: {what} differs from that of a part built with the same value")
