"""`zoo build`: assemble a recipe and say what came out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.words import recipe_words
from zoo.parts import SLOTS, Settings, setting

if TYPE_CHECKING:
    from zoo.model.model import Model


class BuildKeys(Settings):
    """What `zoo build` takes beside parts and their settings."""

    seed: int = setting(0, "seed of the first weights", ge=0)


@click.command("build")
@recipe_words(BuildKeys)
@click.option("-o", "output", type=click.Path(path_type=Path), help="Write the untrained model as a bundle.")
@click.option("--json", "as_json", is_flag=True, help="Print the resolved parts as JSON.")
def command(words: tuple[str, ...], output: Path | None, as_json: bool) -> None:
    """Assemble parts, check that they fit and run, and show what came out.

    KEY=VALUE is slot=part (decoder=lstm), slot.setting=value (attention.features=64), seed=1, the name of
    a recipe, or @file.toml. A slot that is not named keeps its default.
    """
    from zoo.registry import open_registry, parse_recipe

    recipe = parse_recipe(words, open_registry(), keys=BuildKeys)

    from zoo.model.build import build

    model = build(recipe, recipe.values["seed"])
    if output:
        from zoo.model.bundle import save_bundle

        save_bundle(model, output)
    _print(model, output, as_json)


def _print(model: Model, output: Path | None, as_json: bool) -> None:
    from zoo.cli.console import print_json, show, talk
    from zoo.model.build import summary

    data = summary(model)
    if as_json:
        print_json({**data, "bundle": str(output) if output else None})
        return
    show.print(_table(data))
    if output:
        talk.print(
            f"Untrained, written to {output}. Train it with: zoo train {data['recipe']} data=bach -o RUN"
        )


def _table(data: dict[str, Any]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("slot", "part", "settings and sizes"):
        table.add_column(heading, overflow="fold")
    table.add_column("parameters", justify="right")
    for slot in SLOTS:
        part = data["parts"][slot]
        settings = ", ".join(f"{name}={_short(value)}" for name, value in part["settings"].items())
        unsaid = {name: value for name, value in part["sizes"].items() if name not in part["settings"]}
        sizes = ", ".join(f"{value} {name}" for name, value in unsaid.items())
        lines = "\n".join(filter(None, [settings, sizes]))
        table.add_row(slot, part["name"], lines, f"{part['parameters']:,}")
    table.add_section()
    table.add_row("", "", "", f"{data['parameters']:,}")
    return table


def _short(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
