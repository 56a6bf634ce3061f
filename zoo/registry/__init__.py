"""The registry of parts, and recipes that combine them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.registry.compatibility import Choice
from zoo.registry.entry import Entry, Plugin
from zoo.registry.registry import Registry, open_registry

if TYPE_CHECKING:
    from zoo.registry.parse import parse_recipe
    from zoo.registry.recipe import Recipe

__all__ = [
    "Choice",
    "Entry",
    "Plugin",
    "Recipe",
    "Registry",
    "open_registry",
    "parse_recipe",
]


def __getattr__(name: str) -> Any:
    """Import pydantic only when a recipe is parsed; listing parts does not need it."""
    if name == "Recipe":
        from zoo.registry.recipe import Recipe

        return Recipe
    if name == "parse_recipe":
        from zoo.registry.parse import parse_recipe

        return parse_recipe
    raise AttributeError(f"module 'zoo.registry' has no attribute {name!r}")
