"""Which parts there are, and what a recipe means."""

from zoo.registry.entry import Entry, Plugin
from zoo.registry.fit import Choice
from zoo.registry.parse import parse_recipe
from zoo.registry.recipe import Recipe
from zoo.registry.registry import Registry, open_registry

__all__ = [
    "Choice",
    "Entry",
    "Plugin",
    "Recipe",
    "Registry",
    "open_registry",
    "parse_recipe",
]
