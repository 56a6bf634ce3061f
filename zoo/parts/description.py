"""Descriptions: what a part is called, what it takes and where its class lies, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from zoo.errors import Problem

Slot = Literal["encoder", "attention", "sampler", "decoder", "velocity"]
SLOTS: tuple[Slot, ...] = get_args(Slot)

API = 1
"""The generation of the interfaces in `zoo.parts.interfaces`; a plugin says which one it was written for."""

Fact = int | bool | str
"""Something a part says of itself before it is built, such as `codes=12` or `plane="onset"`."""


class Settings(BaseModel):
    """What a user may set of a part. Subclass it; unknown names are refused, values never change.

    Every field is made by `setting`, so each has a help text and bounds.
    """

    # Built when first used: `zoo list` looks at a dozen of these and uses none.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def setting(default: Any, help: str, *, live: bool = False, **bounds: Any) -> Any:
    """A field of `Settings`: its default, what it means to a musician, and its bounds.

    Args:
        default: the value when the user says nothing.
        help: one line for `zoo show` and the documentation.
        live: whether it may be changed on a trained model without touching a weight
            (`zoo evaluate BUNDLE sampler.paths=100`).
        bounds: pydantic's own: `ge`, `gt`, `le`, `lt`, `multiple_of`, `min_length`, `max_length`.
    """
    return Field(default, description=help, json_schema_extra={"live": live}, **bounds)


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
        settings: the `Settings` subclass with the part's settings.
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
    settings: type[Settings] = Settings
    gives: Callable[[Any], Mapping[str, Fact]] = _no_facts
    fit: Callable[[Any, Mapping[str, Fact]], Iterable[Problem]] = _fits
    citation: str = ""
    status: Literal["experimental", "stable", "deprecated"] = "stable"
    state_version: int = 1
    api: int = API
