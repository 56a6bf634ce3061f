"""`zoo show`: one part, its settings and where it comes from."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.named import complete_part, named_part
from zoo.registry import Choice, Entry, Registry, open_registry
from zoo.registry.compatibility import facts
from zoo.registry.fields import allowed, choices, default, live


@click.command("show")
@click.argument("part", metavar="SLOT.NAME", shell_complete=complete_part)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(part: str, as_json: bool) -> None:
    """Show one part: what it does, its settings, where it comes from.

    For example zoo show attention.history.
    """
    from zoo.cli.console import print_json

    registry = open_registry()
    data = part_facts(named_part(part, registry, "zoo show"), registry)
    if as_json:
        print_json(data)
    else:
        _print(data)


def part_facts(entry: Entry, registry: Registry) -> dict[str, Any]:
    """What a part says of itself and where it comes from; `zoo show --json` and docs/parts.md."""
    description = entry.description
    settings = entry.load_settings()
    plain = Choice(entry, settings())
    return {
        "slot": entry.slot,
        "name": entry.name,
        "word": f"{entry.slot}={registry.word(entry)}",
        "summary": description.summary,
        "status": description.status,
        "citation": description.citation,
        "gives": {name.partition(".")[2]: fact for name, fact in facts({entry.slot: plain}).items()},
        "state_version": description.state_version,
        "plugin": entry.plugin,
        "distribution": entry.distribution,
        "version": entry.version,
        "file": entry.file,
        "settings": [
            {
                "name": name,
                "default": default(field),
                "takes": allowed(field),
                "choices": choices(field),
                "help": field.description or "",
                "live": live(field),
            }
            for name, field in settings.model_fields.items()
        ],
    }


def _print(data: dict[str, Any]) -> None:
    from rich.table import Table

    from zoo.cli.console import show

    show.print(f"{data['slot']}.{data['name']}", style="bold")
    show.print(data["summary"])
    if data["settings"]:
        show.print()
        show.print(_settings(data))
    rest = Table.grid(padding=(0, 2))
    gives = ", ".join(f"{name} {value}" for name, value in data["gives"].items())
    source = f"{data['plugin']} ({data['distribution']} {data['version']})"
    for name, value in {
        "use it": f"zoo build {data['word']}",
        "gives": gives,
        "source": data["citation"],
        "status": data["status"],
        "plugin": source,
        "file": data["file"],
    }.items():
        if value:
            rest.add_row(name, value)
    show.print()
    show.print(rest)


def _settings(data: dict[str, Any]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in (f"{data['slot']}.", "default", "what it is"):
        table.add_column(heading, overflow="fold")
    for setting in data["settings"]:
        takes = setting["takes"] + ("; also of a trained model" if setting["live"] else "")
        about = Text(setting["help"]).append(f"\n{takes}", style="dim")
        table.add_row(setting["name"], setting["default"], about)
    return table
