"""Promises of a description, and of what is built from it."""

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
from zoo.registry.fields import live
from zoo.registry.values import members
from zoo.testing.check import DoesNotApplyError, check, require
from zoo.testing.music import random_music, real_sizes
from zoo.testing.play import answers
from zoo.testing.subject import Subject


@check(cure="give the description a name of lower case, digits and hyphens, and one line of summary")
def description_is_complete(subject: Subject) -> None:
    """The description can be listed: a name to type, a summary of one line, this interface generation."""
    description = subject.description
    require(re.fullmatch(r"[a-z0-9][a-z0-9-]*", description.name) is not None, f"name {description.name!r}")
    summary = description.summary
    require(bool(summary.strip()) and "\n" not in summary, f"summary {summary!r}")
    require(description.api == API, f"api {description.api}, the zoo has {API}")


@check(
    cure="import torch (and what needs it) in the module of the class, and name the class as 'module:Class'",
    optional=True,
)
def plugin_is_light(subject: Subject) -> None:
    """Loading the plugin and reading its descriptions does not import torch."""
    source = subject.source
    if source is None:
        raise DoesNotApplyError("the description was given by itself, not by a plugin")
    if source.is_file:
        raise DoesNotApplyError("a plugin in a single file holds its class as well")
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from zoo.registry.loading import load\n"
        "from zoo.registry.sources import Source\n"
        f"plugin = load({source!r})\n"
        "sys.exit('torch' if 'torch' in sys.modules else str(plugin.problem or ''))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    seen = done.stderr.strip()
    require(seen != "torch", f"loading {source.target} imports torch")
    require(not seen, f"loading {source.target} failed: {seen[-300:]}")


def choices(field: FieldInfo) -> tuple[Any, ...]:
    """All values of a setting that has only a few."""
    kinds = members(field.annotation)
    named = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    return (*named, *((True, False) if bool in kinds else ()))


@check(cure="make each setting with zoo.parts.setting(default, help, ge=..., le=...), or from a Literal")
def settings_are_explained(subject: Subject) -> None:
    """Every setting has a help text, bounds or choices, and a default within them."""
    settings = type(subject.settings)
    require(issubclass(settings, Settings), f"{settings.__name__} is not made from zoo.parts.Settings")
    require(bool(settings.model_config.get("frozen")), "values can be changed after they are checked")
    require(settings.model_config.get("extra") == "forbid", "unknown settings are not refused")
    for name, field in settings.model_fields.items():
        require(bool((field.description or "").strip()), f"{name} has no help")
        require(bool(field.metadata or choices(field)), f"{name} has neither bounds nor choices")
        require(not field.is_required(), f"{name} has no default")
    defaults = settings()
    settings(**{name: getattr(defaults, name) for name in settings.model_fields})


@check(
    cure="derive the class from the slot's interface in zoo.parts.interfaces and build it from "
    "(settings, sizes), an encoder from (settings)"
)
def builds_by_default(subject: Subject) -> None:
    """The default settings build a part of its slot, at small sizes and at those of a piano."""
    target = subject.target
    interface = INTERFACES[subject.slot]
    require(inspect.isclass(target) and issubclass(target, interface), f"{target} is no {interface.__name__}")
    subject.build()
    if subject.slot != "encoder":
        sizes = real_sizes()
        part = subject.build(sizes=sizes)
        answers(part, subject.slot, random_music(sizes, batch=2, frames=3))


@check(cure="let `gives` and the class compute their sizes from the same settings")
def sizes_are_as_declared(subject: Subject) -> None:
    """What the description says it gives is what the built part has."""
    part = subject.build()
    given = subject.description.gives(subject.settings)
    built: dict[str, Any] = {}
    if isinstance(part, Encoder):
        built = {"codes": part.codes, "plane": part.plane}
        require("codes" in given and "plane" in given, f"an encoder gives codes and plane, not {dict(given)}")
    if isinstance(part, Attention):
        built = {"features": part.features}
        require(isinstance(part.features, int) and part.features > 0, f"features is {part.features!r}")
    for fact, value in given.items():
        require(isinstance(value, (int, bool, str)), f"{fact} is {value!r}, neither number nor word")
        require(fact not in built or built[fact] == value, f"{fact}: gives {value}, built {built.get(fact)}")


def others(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """Each setting changed by itself: to every other choice, and to its lower bound."""
    for name, field in type(settings).model_fields.items():
        values = list(choices(field))
        for bound in field.metadata:
            least = getattr(bound, "ge", None)
            above = getattr(bound, "gt", None)
            if above is not None:
                least = above + 1 if field.annotation is int else above + 1e-3
            if least is not None:
                values.append(least)
        for value in values:
            if value != getattr(settings, name):
                yield name, _changed(settings, name, value)


def _changed(settings: Settings, name: str, value: Any) -> Settings:
    return type(settings)(**{**dict(settings), name: value})


@check(cure="narrow the bounds of the setting to what the part can do", optional=True)
def settings_work_at_their_bounds(subject: Subject) -> None:
    """Every choice and every lower bound of a setting builds a part that plays, scores and learns."""
    tried = 0
    for name, settings in others(subject.settings):
        tried += 1
        part = subject.build(settings=settings)
        value = getattr(settings, name)
        for what, answer in answers(part, subject.slot, random_music(part.sizes, 2, 3)).items():
            require(answer.isfinite().all(), f"{name}={value}: {what} is not finite")
    if not tried:
        raise DoesNotApplyError("the part has no setting with a choice or a lower bound")


@check(
    cure="read live settings when they are used, from self.settings, or do not call them live", optional=True
)
def live_settings_are_live(subject: Subject) -> None:
    """A live setting can be exchanged on a built part, without touching a weight."""
    fields = type(subject.settings).model_fields
    changing = {name for name, field in fields.items() if live(field)}
    if not changing:
        raise DoesNotApplyError("the part has no live setting")
    for name, settings in others(subject.settings):
        if name not in changing:
            continue
        fresh, exchanged = subject.build(settings=settings), subject.build()
        exchanged.settings = settings
        music = random_music(fresh.sizes, 2, 4)
        expected = answers(fresh, subject.slot, music)
        for what, answer in answers(exchanged, subject.slot, music).items():
            require(
                bool((answer == expected[what]).all()), f"{name}: {what} differs from a part built with it"
            )
