"""Every part that is registered keeps every promise of its slot; none can be registered and escape."""

from __future__ import annotations

import pytest

import zoo.testing
from zoo.parts import SLOTS
from zoo.registry import open_registry
from zoo.testing.describing import choices

ENTRIES = open_registry().entries()

CROWDED = {"sampler.voices": [{"voices": 2}]}
"""Settings beside defaults and choices under which a promise is harder to keep: more notes than voices."""


def variants(entry) -> list[dict[str, object]]:
    """The defaults, and each setting that is one of a few at each of its other values."""
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
def test_every_slot_has_parts_and_its_default_among_them(slot):
    registry = open_registry()
    assert registry.default(slot) in {entry.name for entry in registry.entries(slot)}
