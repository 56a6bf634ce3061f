"""Optional parameters: `past` and `clock` are passed to methods that have parameters of these names."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.parts.interfaces import Part


_PARAMETERS: dict[tuple[type, str], frozenset[str]] = {}
"""The names of the parameters of methods; a dictionary, since torch.compile warns about functools.cache."""


def accepted(part: Part, method: str, **offered: Any) -> dict[str, Any]:
    """The arguments, of those offered, that a method of the part has parameters for."""
    key = (type(part), method)
    if key not in _PARAMETERS:
        _PARAMETERS[key] = frozenset(signature(getattr(type(part), method)).parameters)
    return {name: value for name, value in offered.items() if name in _PARAMETERS[key]}
