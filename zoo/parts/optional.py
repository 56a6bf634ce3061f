"""Optional parameters: `past` and `clock` are passed to methods that have parameters of these names."""

from __future__ import annotations

from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.parts.interfaces import Part


def accepted(part: Part, method: str, **offered: Any) -> dict[str, Any]:
    """The arguments, of those offered, that a method of the part has parameters for."""
    names = _parameters(type(part), method)
    return {name: value for name, value in offered.items() if name in names}


@cache
def _parameters(kind: type[Part], method: str) -> frozenset[str]:
    return frozenset(signature(getattr(kind, method)).parameters)
