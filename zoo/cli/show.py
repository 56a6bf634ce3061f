"""`zoo show`: one part, its settings and source; the card of a bundle; or the settings of a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from zoo.cli.named import complete_part, named_part
from zoo.cli.opened import note_outdated
from zoo.cli.show_bundle import bundle_to_json, print_bundle
from zoo.cli.takes import COMMANDS, command_to_json, settings_to_json
from zoo.model.pretrained import bundle_folder, is_bundle
from zoo.registry import Choice, Entry, Registry, open_registry
from zoo.registry.compatibility import facts
from zoo.registry.values import write_value
from zoo.train.proposals import proposals_of


def complete_shown(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """`SLOT.` at first, then `SLOT.NAME`; or a command."""
    commands = [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]
    return [*complete_part(context, parameter, incomplete), *commands]


@click.command("show")
@click.argument("what", metavar="SLOT.NAME|BUNDLE|train|generate", shell_complete=complete_shown)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(what: str, as_json: bool) -> None:
    """Show one part, the model card of a bundle, or all settings of train or generate.

    For example zoo show attention.history, zoo show bach, zoo show train.
    """
    from zoo.cli.console import print_json

    if what in COMMANDS:
        data = command_to_json(what)
        print_json(data) if as_json else _print_command(data)
        return
    if is_bundle(what):
        facts = bundle_to_json(bundle_folder(what))
        note_outdated(what, facts["config"])
        print_json(facts) if as_json else print_bundle(facts)
        return
    registry = open_registry()
    data = part_to_json(named_part(what, registry, "zoo show"), registry)
    print_json(data) if as_json else _print(data)


def part_to_json(entry: Entry, registry: Registry) -> dict[str, Any]:
    """The description of a part and where it comes from; `zoo show --json` and docs/parts.md."""
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
        "training": {proposal.name: proposal.value for proposal in proposals_of(entry)},
        "state_version": description.state_version,
        "plugin": entry.plugin,
        "distribution": entry.distribution,
        "version": entry.version,
        "file": entry.file,
        "settings": settings_to_json(settings),
    }


def _print_command(data: Mapping[str, Any]) -> None:
    from zoo.cli.console import stdout

    stdout.print(f"zoo {data['command']}", style="bold")
    stdout.print(data["summary"])
    stdout.print()
    stdout.print(_settings("setting", data["settings"], "can be changed with --resume"))
    stdout.print()
    stdout.print(f"`zoo {data['command']} --help` shows how to write the command")


def _print(data: dict[str, Any]) -> None:
    from rich.table import Table

    from zoo.cli.console import stdout

    stdout.print(f"{data['slot']}.{data['name']}", style="bold")
    stdout.print(data["summary"])
    if data["settings"]:
        stdout.print()
        stdout.print(_settings(f"{data['slot']}.", data["settings"], "can be changed on a trained model"))
    rest = Table.grid(padding=(0, 2))
    gives = ", ".join(f"{name} {value}" for name, value in data["gives"].items())
    training = " ".join(f"train.{name}={write_value(value)}" for name, value in data["training"].items())
    source = f"{data['plugin']} ({data['distribution']} {data['version']})"
    for name, value in {
        "use it": f"zoo build {data['word']}",
        "gives": gives,
        "proposes": training,
        "source": data["citation"],
        "status": data["status"],
        "plugin": source,
        "file": data["file"],
    }.items():
        if value:
            rest.add_row(name, value)
    stdout.print()
    stdout.print(rest)


def _settings(head: str, settings: Sequence[Mapping[str, Any]], live: str) -> Any:
    """A table of settings; `live` says when some of them may still be changed."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in (head, "default", "description"):
        table.add_column(heading, overflow="fold")
    for setting in settings:
        takes = setting["takes"] + (f"; {live}" if setting["live"] else "")
        description = Text(setting["help"]).append(f"\n{takes}", style="dim")
        table.add_row(setting["name"], setting["default"], description)
    return table
