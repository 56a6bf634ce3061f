"""Descriptions: what a part is called, what it takes and where its class lies, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args

from zoo.errors import Problem

if TYPE_CHECKING:
    from zoo.parts.settings import Settings

Slot = Literal["encoder", "attention", "sampler", "decoder", "velocity"]
SLOTS: tuple[Slot, ...] = get_args(Slot)

API = 1
"""The generation of the interfaces in `zoo.parts.interfaces`; a plugin says which one it was written for."""

Fact = int | bool | str
"""Something a part says of itself before it is built, such as `codes=12` or `plane="onset"`."""


def _no_facts(settings: Any) -> Mapping[str, Fact]:
    return {}


def _fits(settings: Any, facts: Mapping[str, Fact]) -> Iterable[Problem]:
    return ()


@dataclass(frozen=True)
class Description:
    """The light half of a part: everything the zoo must know before it imports torch.

    Attributes:
        slot: which of the five places the part fills.
        name: what users type; lower case, digits and hyphens.
        summary: one line, in musical words, for `zoo list`.
        target: the class, as "module:Class" (imported only when built) or as the class itself.
        settings: the `Settings` subclass with the part's settings, as "module:Class" (imported only when
            somebody asks for a setting, and pydantic with it) or as the class itself.
        gives: facts that follow from the settings, for other parts to fit to: an encoder gives
            `codes` and `plane` ("onset" or "sounding"), an attention gives `features`.
        fit: problems with the facts of the whole recipe, keyed "slot.fact" ("encoder.codes").
        citation: the paper or source of the idea.
        status: "experimental", "stable" or "deprecated".
        state_version: raised when the weights of an older version no longer load.
        api: the interface generation the part was written for.
    """

    slot: Slot
    name: str
    summary: str
    target: str | type
    settings: str | type[Settings] = "zoo.parts.settings:Settings"
    gives: Callable[[Any], Mapping[str, Fact]] = _no_facts
    fit: Callable[[Any, Mapping[str, Fact]], Iterable[Problem]] = _fits
    citation: str = ""
    status: Literal["experimental", "stable", "deprecated"] = "stable"
    state_version: int = 1
    api: int = API


def imported(target: str | type) -> Any:
    """The class that "module:Class" names, imported now; a class stays what it is."""
    if not isinstance(target, str):
        return target
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
