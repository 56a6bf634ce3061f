"""`zoo plugin`: list plugins, check them, and create new ones."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.as_json import print_json
from zoo.cli.plugin_check import check_command
from zoo.cli.plugin_new import new_command
from zoo.registry import Plugin, open_registry


@click.group("plugin")
def command() -> None:
    """List, check and create plugins."""


command.add_command(new_command)
command.add_command(check_command)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def list_command(as_json: bool) -> None:
    """List all plugins, whether they work or not.

    The settings of their parts are loaded, too; their networks are not (see `zoo plugin check`).
    """
    plugins = [plugin.with_settings_loaded() for plugin in open_registry().plugins()]
    if as_json:
        print_json([_row(plugin) for plugin in plugins])
        return
    from zoo.cli.console import print_list

    print_list(_table(plugins))


def _row(plugin: Plugin) -> dict[str, Any]:
    return {
        "plugin": plugin.source.name,
        "status": plugin.health,
        "distribution": plugin.source.distribution,
        "version": plugin.source.version,
        "origin": plugin.source.origin,
        "file": plugin.file,
        "parts": [f"{entry.slot}.{entry.name}" for entry in plugin.entries],
        "reason": plugin.problem.what if plugin.problem else "",
        "remedy": plugin.problem.hint if plugin.problem else "",
    }


def _table(plugins: list[Plugin]) -> Any:
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("plugin", "status", "description"):
        table.add_column(heading, overflow="fold")
    for plugin in plugins:
        row = _row(plugin)
        lines = [str(plugin.source), ", ".join(row["parts"]), row["file"], row["reason"], row["remedy"]]
        table.add_row(visible(row["plugin"]), row["status"], "\n".join(map(visible, filter(None, lines))))
    return table
