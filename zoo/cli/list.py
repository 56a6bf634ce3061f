"""`zoo list`: the parts for each slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from zoo.cli.as_json import print_json
from zoo.cli.named import complete_slot, one_slot
from zoo.cli.problems import print_problems
from zoo.parts import SLOTS, Slot
from zoo.registry import Entry, Plugin, Registry, open_registry

UNUSABLE = ("failed", "other api")


@click.command("list")
@click.argument("slot", required=False, metavar="[SLOT]", shell_complete=complete_slot)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def command(slot: str | None, as_json: bool) -> None:
    """List the parts of the zoo, slot by slot.

    SLOT is encoder, attention, sampler, decoder or velocity; * marks the default of a slot.
    """
    wanted = one_slot(slot, "zoo list") if slot else None
    registry = open_registry()
    entries = registry.entries(wanted)
    unusable = [plugin for plugin in registry.plugins() if plugin.health in UNUSABLE]
    if as_json:
        print_json([*(_row(entry, registry) for entry in entries), *map(_unusable_row, unusable)])
    else:
        from zoo.cli.console import print_list, stderr

        print_list(_table(entries, registry))
        stderr.print("* default of its slot; `zoo show SLOT.NAME` shows the settings of a part")
    print_problems([plugin.problem for plugin in unusable if plugin.problem], "plugin left out: ")


def _row(entry: Entry, registry: Registry) -> dict[str, Any]:
    return {
        "slot": entry.slot,
        "name": entry.name,
        "word": registry.word(entry),
        "summary": entry.description.summary,
        "plugin": entry.plugin,
        "distribution": entry.distribution,
        "version": entry.version,
        "status": entry.description.status,
        "default": is_default(entry, registry),
        "file": entry.file,
        "reason": "",
    }


def _unusable_row(plugin: Plugin) -> dict[str, Any]:
    """A plugin that could not be loaded, with the reason, under the same keys."""
    names = ("slot", "name", "word", "summary", "plugin", "distribution", "version", "status", "default")
    source = plugin.source
    return {
        **dict.fromkeys(names, ""),
        "plugin": source.name,
        "distribution": source.distribution,
        "version": source.version,
        "status": plugin.health,
        "default": False,
        "file": plugin.file,
        "reason": plugin.problem.what if plugin.problem else "",
    }


def is_default(entry: Entry, registry: Registry) -> bool:
    """Whether the part is the default of its slot."""
    return registry.default(entry.slot) in (registry.word(entry), entry.qualified)


def _table(entries: Sequence[Entry], registry: Registry) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "part", "summary", "plugin", "status"):
        table.add_column(heading, no_wrap=heading in ("part", "status"))
    slots: list[Slot] = [slot for slot in SLOTS if any(entry.slot == slot for entry in entries)]
    for slot in slots:
        table.add_row("", slot, style="bold")
        for entry in entries:
            if entry.slot == slot:
                mark = "*" if is_default(entry, registry) else ""
                part = f"  {registry.word(entry)}"
                table.add_row(mark, part, entry.description.summary, entry.plugin, entry.description.status)
        table.add_section()
    return table
