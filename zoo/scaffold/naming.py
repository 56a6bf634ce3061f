"""What a new part may be called."""

from __future__ import annotations

import re
from keyword import iskeyword

from zoo.errors import Problem
from zoo.parts import Slot
from zoo.registry import Registry
from zoo.registry.sources import same_distribution

PLACEHOLDER = "newcomer"
"""What the parts in this package are called until they get a name."""


def renamed(text: str, slot: Slot, name: str) -> str:
    """A template with the name in all its spellings, and the slot where it names the part."""
    text = text.replace(f"attention.{PLACEHOLDER}", f"{slot}.{PLACEHOLDER}")
    text = text.replace(f"attention={PLACEHOLDER}", f"{slot}={PLACEHOLDER}")
    text = text.replace(f"polyzoo_{PLACEHOLDER}", f"polyzoo_{module_name(name)}")
    text = text.replace(PLACEHOLDER.capitalize(), "".join(word.capitalize() for word in name.split("-")))
    return text.replace(PLACEHOLDER, name)


def module_name(name: str) -> str:
    """The name as Python imports it."""
    return name.replace("-", "_")


def problems_with(name: str, slot: Slot, registry: Registry) -> list[Problem]:
    """Why a new part of that slot cannot be called so; loads the plugins that there are."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        plain = "-".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("-0123456789")
        cure = f"write {plain}" if plain and not iskeyword(plain) else "write something like my-part"
        what = "a part is named in lower case letters, digits and single hyphens, from a letter on"
        return [Problem(what, name, cure)]
    if iskeyword(name):
        what = "Python keeps this word for itself, so no module can be called so"
        return [Problem(what, name, f"write my-{name}")]
    return _taken(name, slot, registry)


def _taken(name: str, slot: Slot, registry: Registry) -> list[Problem]:
    cure = "choose another name"
    found = [
        Problem(f"{entry.source} has a part of that name", f"{slot}.{name}", cure)
        for entry in registry.entries(slot)
        if entry.name == name
    ]
    if found:
        return found
    sources = [plugin.source for plugin in registry.plugins()]
    return [
        Problem(f"{source} has a plugin of that name", name, cure)
        for source in sources
        if source.name == name or same_distribution(source.distribution, f"polyzoo-{name}")
    ]
