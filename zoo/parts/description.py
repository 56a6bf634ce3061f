"""Descriptions of parts: name, settings and class, without importing torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args

from zoo.errors import Problem

if TYPE_CHECKING:
    from zoo.parts.settings import Settings

Slot = Literal["encoder", "attention", "sampler", "decoder", "velocity"]
SLOTS: tuple[Slot, ...] = get_args(Slot)

API = 1
"""The version of the interfaces in `zoo.parts.interfaces`; a plugin declares the one it was written for."""

Fact = int | bool | str
"""A property of a part that is known before it is built, such as `codes=12` or `plane="onset"`."""


def _no_facts(settings: Any) -> Mapping[str, Fact]:
    return {}


def _no_problems(settings: Any, facts: Mapping[str, Fact]) -> Iterable[Problem]:
    return ()


@dataclass(frozen=True)
class Description:
    """Everything the zoo needs to know about a part before it imports torch.

    Attributes:
        slot: the slot that the part fills.
        name: the name that users type: lower-case letters, digits and hyphens.
        summary: one line, in musical terms, for `zoo list`.
        target: the class, as "module:Class" (imported only when the part is built) or as the class itself.
        settings: the `Settings` subclass of the part, as "module:Class" (imported, with pydantic, only when
            settings are used) or as the class itself.
        gives: returns facts that follow from the settings, on which other parts depend: an encoder gives
            `codes` and `plane` ("onset" or "sounding"), and `inputs` if the attention hears more than the
            codes; an attention gives `features`.
        fit: returns problems with the facts of the whole recipe, keyed "slot.fact" ("encoder.codes").
        citation: the paper or source of the idea.
        status: "experimental", "stable" or "deprecated".
        state_version: increased when the weights of an older version no longer load.
        api: the API version that the part was written for.
        training: training settings that the part proposes, such as `{"lr": 0.002, "warmup": 100}`, for users
            who choose none: settings of `zoo.parts.training.OptimizerSettings`, of which `lr` is the learning
            rate of the part's term of the loss. An encoder, which is not trained, proposes none.
    """

    slot: Slot
    name: str
    summary: str
    target: str | type
    settings: str | type[Settings] = "zoo.parts.settings:Settings"
    gives: Callable[[Any], Mapping[str, Fact]] = _no_facts
    fit: Callable[[Any, Mapping[str, Fact]], Iterable[Problem]] = _no_problems
    citation: str = ""
    status: Literal["experimental", "stable", "deprecated"] = "stable"
    state_version: int = 1
    api: int = API
    training: Mapping[str, int | float | str] = field(default_factory=dict, hash=False)


def imported(target: str | type) -> Any:
    """Import the class that "module:Class" names; a class is returned unchanged."""
    if not isinstance(target, str):
        return target
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
