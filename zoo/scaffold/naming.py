"""Names of new parts."""

from __future__ import annotations

import re
from keyword import iskeyword

from zoo.errors import Problem
from zoo.parts import Slot
from zoo.registry import Registry
from zoo.registry.sources import same_distribution

PLACEHOLDER = "newcomer"
"""The name of the templates, which is replaced by the name of the part."""


def renamed(text: str, slot: Slot, name: str) -> str:
    """A template with the placeholder replaced by the name in every spelling, and with the right slot."""
    text = text.replace(f"attention.{PLACEHOLDER}", f"{slot}.{PLACEHOLDER}")
    text = text.replace(f"attention={PLACEHOLDER}", f"{slot}={PLACEHOLDER}")
    text = text.replace(f"polyzoo_{PLACEHOLDER}", f"polyzoo_{module_name(name)}")
    text = text.replace(PLACEHOLDER.capitalize(), "".join(word.capitalize() for word in name.split("-")))
    return text.replace(PLACEHOLDER, name)


def module_name(name: str) -> str:
    """The name as a Python module."""
    return name.replace("-", "_")


def problems_with(name: str, slot: Slot, registry: Registry) -> list[Problem]:
    """The problems with the name of a new part of a slot; loads all plugins to find name clashes."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        plain = "-".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("-0123456789")
        hint = f"write {plain}" if plain and not iskeyword(plain) else "write something like my-part"
        what = "invalid name: use lower-case letters, digits and single hyphens, starting with a letter"
        return [Problem(what, name, hint)]
    if iskeyword(name):
        what = "this is a reserved word of Python and cannot be the name of a module"
        return [Problem(what, name, f"write my-{name}")]
    return _taken(name, slot, registry)


def _taken(name: str, slot: Slot, registry: Registry) -> list[Problem]:
    hint = "choose another name"
    clashes = [
        Problem(f"{entry.source} has a part with this name", f"{slot}.{name}", hint)
        for entry in registry.entries(slot)
        if entry.name == name
    ]
    if clashes:
        return clashes
    sources = [plugin.source for plugin in registry.plugins()]
    return [
        Problem(f"{source} has a plugin with this name", name, hint)
        for source in sources
        if source.name == name or same_distribution(source.distribution, f"polyzoo-{name}")
    ]
