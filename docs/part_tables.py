"""Tables and sections of parts, from what they say of themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from zoo.cli.list import is_default
from zoo.cli.show import part_to_json
from zoo.parts import SLOTS, Fact
from zoo.registry import Entry, Registry, open_registry


def table_of_parts(link: str) -> str:
    """One row for each part, linked to its section; the default of each slot is set in bold."""
    registry = open_registry()
    rows = ["| slot | part | description |", "| --- | --- | --- |"]
    for entry in registry.shipped_entries():
        anchor = f"{link}#{entry.slot}{entry.name}"
        name = f"**{entry.name}**" if is_default(entry, registry) else entry.name
        rows.append(f"| {entry.slot} | [{name}]({anchor}) | {escape(entry.description.summary)} |")
    return "\n".join(rows)


def sections_of_parts() -> str:
    """A section for each part, slot by slot."""
    registry = open_registry()
    blocks = []
    for slot in SLOTS:
        blocks.append(f"## {slot}")
        for entry in registry.shipped_entries(slot):
            blocks += sections_of_part(entry, registry)
    return "\n\n".join(blocks)


def sections_of_part(entry: Entry, registry: Registry) -> Iterator[str]:
    """The heading of a part, and what it says of itself."""
    facts = part_to_json(entry, registry)
    yield f"### {entry.slot}={entry.name}"
    yield f"**{facts['summary']}.**"
    yield _introduction(entry.load())
    if facts["settings"]:
        yield table_of_settings(f"{entry.slot}.", facts["settings"])
    yield "\n".join(f"- {line}" for line in _notes(facts, is_default(entry, registry)))


def _introduction(part: type) -> str:
    """A class's docstring up to its first list of attributes."""
    return re.split(r"\n\n(?=[A-Z]\w+:\n)", inspect.getdoc(part) or "")[0]


def table_of_settings(
    prefix: str, settings: list[dict[str, Any]], head: str = "setting", live: str = "live"
) -> str:
    """One row for each setting, with `live` behind those that can be changed later."""
    rows = [f"| {head} | default | values | description |", "| --- | --- | --- | --- |"]
    for setting in settings:
        name = f"`{prefix}{setting['name']}`" + (f" ({live})" if setting["live"] else "")
        rest = " | ".join(map(escape, (setting["takes"], setting["help"])))
        rows.append(f"| {name} | `{setting['default']}` | {rest} |")
    return "\n".join(rows)


def _notes(facts: dict[str, Any], default: bool) -> Iterator[str]:
    if default:
        yield "default of the slot"
    if facts["gives"]:
        yield "gives " + ", ".join(_in_words(name, fact) for name, fact in facts["gives"].items())
    if facts["training"]:
        yield "proposes " + " ".join(f"`train.{name}={value}`" for name, value in facts["training"].items())
    if facts["citation"]:
        yield f"source: {facts['citation']}"
    if facts["status"] != "stable":
        yield str(facts["status"])
    yield f"plugin `{facts['plugin']}`"


def _in_words(name: str, fact: Fact) -> str:
    """A fact in words: "12 codes", "plane onset"."""
    return f"{name} {fact}" if isinstance(fact, str) else f"{fact} {name}"


def escape(text: str) -> str:
    """Text that does not end a cell of a table."""
    return text.replace("|", "\\|")
