"""The settings and options of `zoo train` and `zoo generate`, with their defaults, ranges and meanings."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from zoo.parts import Settings
from zoo.registry.fields import allowed, choices, default, key, live
from zoo.registry.values import NONE, write_value

COMMANDS = ("train", "generate")
"""The commands whose settings `zoo show` prints."""


def settings_to_json(model: type[Settings], head: str = "") -> list[dict[str, Any]]:
    """The settings of a part, a section or a command, ready for JSON.

    Args:
        model: the settings.
        head: what their names begin with, such as `train`; may be empty.
    """
    return [
        {
            "name": key(head, name),
            "default": default(field),
            "takes": allowed(field),
            "choices": choices(field),
            "help": field.description or "",
            "live": live(field),
        }
        for name, field in model.model_fields.items()
    ]


def command_to_json(name: str) -> dict[str, Any]:
    """The options of one of `COMMANDS`, without those of parts, ready for JSON."""
    described: click.Command = import_module(f"zoo.cli.{name}").command
    if name == "train":
        from zoo.train.keys import TrainKeys
        from zoo.train.settings import SECTIONS

        settings = settings_to_json(TrainKeys)
        for head, model in SECTIONS.items():
            settings += settings_to_json(model, head)
    else:
        options = [option for option in described.params if isinstance(option, click.Option)]
        settings = [_option(option) for option in options if option.expose_value]
    return {"command": name, "summary": described.get_short_help_str(limit=500), "settings": settings}


def _option(option: click.Option) -> dict[str, Any]:
    return {
        "name": max(option.opts, key=len),
        "default": _default(option),
        "takes": _takes(option),
        "choices": [],
        "help": (option.help or "").rstrip("."),
        "live": False,
    }


def _default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    if option.required:
        return "required"
    if option.is_flag:
        return "off"
    return write_value(option.default) if option.show_default else NONE


def _takes(option: click.Option) -> str:
    """The values that an option accepts, worded as for settings: "a whole number of at least 1"."""
    if option.is_flag:
        return "no value"
    if option.metavar:
        return option.metavar
    match option.type:
        case click.IntRange(min=low, max=None):
            return f"a whole number of at least {low}"
        case click.IntRange(min=low, max=high):
            return f"a whole number from {low} to {high}"
        case click.FloatRange(min=low, max=high):
            return f"a number from {low:g} to {high:g}"
        case kind:
            return {"integer": "a whole number", "float": "a number", "path": "a path", "text": "a text"}[
                kind.name
            ]
