"""The page of the command line: the help of every command."""

from __future__ import annotations

from collections.abc import Iterator

import click

from zoo.cli.main import zoo

WIDTH = 80


def command_page() -> str:
    """A section for each command, with what `--help` prints."""
    return "\n\n".join(_sections(zoo, None, "zoo", 2))


def _sections(command: click.Command, parent: click.Context | None, name: str, level: int) -> Iterator[str]:
    """A command, and the commands of a group after it."""
    context = click.Context(command, info_name=name, parent=parent, max_content_width=WIDTH)
    context.terminal_width = WIDTH
    path = context.command_path
    yield f"{'#' * level} {path}\n\n```text\n{command.get_help(context).rstrip()}\n```"
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            if (child := command.get_command(context, word)) and not child.hidden:
                yield from _sections(child, context, word, min(level + (parent is not None), 3))
