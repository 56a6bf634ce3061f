"""Every registered part passes every contract check of its slot."""

from __future__ import annotations

import pytest

import zoo.testing
from zoo.parts import SLOTS
from zoo.registry import open_registry
from zoo.testing.descriptions import choices

ENTRIES = open_registry().entries()

CROWDED = {"sampler.voices": [{"voices": 2}]}
"""Additional settings to check, in which there are more notes than voices."""


def variants(entry) -> list[dict[str, object]]:
    """The defaults, and all other values of each Literal or bool setting."""
    fields = entry.load_settings().model_fields
    others = [
        {name: value}
        for name, field in fields.items()
        for value in choices(field)
        if value != field.get_default()
    ]
    return [{}, *others, *CROWDED.get(f"{entry.slot}.{entry.name}", [])]


CASES = [
    case
    for entry in ENTRIES
    for settings in variants(entry)
    for case in zoo.testing.cases(entry, settings=settings)
]


@pytest.mark.parametrize("case", CASES)
def test_contract(case):
    case()


@pytest.mark.parametrize("slot", SLOTS)
def test_the_default_of_every_slot_is_registered(slot):
    registry = open_registry()
    assert registry.default(slot) in {entry.name for entry in registry.entries(slot)}
