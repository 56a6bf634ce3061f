"""`zoo plugin new`: create a plugin that works and is ready to be changed."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.named import complete_slot, one_slot
from zoo.registry import open_registry


@click.command("new")
@click.argument("name")
@click.option(
    "--slot", required=True, metavar="SLOT", shell_complete=complete_slot, help="The slot of the part."
)
@click.option("--file", "alone", is_flag=True, help="Write a single file, not a package.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def new_command(name: str, slot: str, alone: bool, as_json: bool) -> None:
    """Create a plugin that works, as a starting point for your own.

    A package polyzoo-NAME with its tests, or with --file a single NAME.py, in the current folder. Parts are
    named with hyphens, modules with underscores; NAME may have either.
    """
    from zoo.cli.console import print_json
    from zoo.scaffold.writing import write_file, write_package

    place = one_slot(slot, "--slot")
    if name.islower():  # other names are invalid, and reported as they were typed
        name = name.replace("_", "-")
    if alone:
        path = write_file(name, place, open_registry())
        word = f"./{path}"
        steps = {
            f"zoo build {place}={word}": "it works at once",
            f"zoo plugin check {word}": "check the contract of its slot",
        }
        row = {"written": [str(path)], "next": list(steps), "registry": f'{name} = "{word}"'}
    else:
        written = write_package(name, place, open_registry())
        steps = {
            f"pip install -e ./{written[0].parent}": "`zoo list` shows it from now on",
            f"zoo plugin check {place}.{name}": "check the contract of its slot",
            f"zoo build {place}={name}": "beside the default parts",
        }
        row = {"written": [str(path) for path in written], "next": list(steps)}
    if as_json:
        print_json(row)
    else:
        _print(row, steps, f"{place}={name}")


def _print(row: dict[str, Any], steps: dict[str, str], word: str) -> None:
    from rich.table import Table

    from zoo.cli.console import stdout

    for path in row["written"]:
        stdout.print(f"wrote {path}", soft_wrap=True)
    table = Table.grid(padding=(0, 2))
    for step, why in steps.items():
        table.add_row(f"  {step}", why)
    stdout.print("\nnext", style="bold")
    stdout.print(table)
    if "registry" in row:
        stdout.print(f"\nto write {word} in this folder, with --local: in ./registry.toml", soft_wrap=True)
        stdout.print(f"  [plugins]\n  {row['registry']}", soft_wrap=True)
