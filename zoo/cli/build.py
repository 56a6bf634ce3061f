"""`zoo build`: assemble a recipe and print its parts and sizes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.overwriting import force_option, keep_what_is_there, note_kept_card
from zoo.cli.words import recipe_words, shell_path
from zoo.parts import SLOTS, setting
from zoo.registry.recipe import GridKeys

if TYPE_CHECKING:
    from zoo.model.model import Model
    from zoo.train.swap import Swap


class BuildKeys(GridKeys):
    """The keys of `zoo build` besides parts and their settings."""

    seed: int = setting(0, "seed of the initial weights", ge=0)


@click.command("build")
@recipe_words(BuildKeys)
@click.option("-o", "output", type=click.Path(path_type=Path), help="Write the model as a bundle.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print the resolved parts as JSON.")
def command(words: tuple[str, ...], output: Path | None, force: bool, as_json: bool) -> None:
    """Assemble parts, check that they are compatible and run, and show their sizes.

    KEY=VALUE is slot=part (decoder=lstm), slot.setting=value (attention.features=64), seed=1, the name of
    a recipe, or @file.toml. Slots that are not named keep their defaults.

    To combine trained parts of different runs or bundles without training:
    core=@RUN_A decoder=@RUN_B velocity=@RUN_C. A core is an attention and a sampler with the encoder they
    were trained on; a decoder or velocity works with every core of the same encoder. Parts that are not named
    are those of the core's bundle.
    """
    from zoo.registry import open_registry
    from zoo.train.swap import parse_swap

    swap = parse_swap(words, open_registry(), keys=BuildKeys)
    keep_what_is_there(output, force)

    from zoo.train.assemble import assemble

    model = assemble(swap, swap.recipe.values["seed"])
    if output:
        from zoo.model.bundle import save_bundle

        keep_what_is_there(output, force)  # again: a bundle may have appeared meanwhile
        note_kept_card(save_bundle(model, output, sources=swap.names, trained_on=swap.trained_on))
    _print(model, swap, output, as_json)


def _print(model: Model, swap: Swap, output: Path | None, as_json: bool) -> None:
    from zoo.cli.console import print_json, stderr, stdout, visible

    data = _to_json(model, swap)
    if as_json:
        print_json({**data, "bundle": str(output) if output else None})
        return
    stdout.print(_table(data))
    if swap.sources:
        for line in _origins(data):
            stdout.print(visible(line))
    if output and swap.sources:
        place = shell_path(output)
        stderr.print(visible(f"Written to {output}. Score it with: zoo evaluate {place} data=MUSIC"))
    elif output:
        recipe = data["recipe"]
        stderr.print(
            visible(f"Untrained, written to {output}. Train it with: zoo train {recipe} data=bach -o RUN")
        )


def _to_json(model: Model, swap: Swap) -> dict[str, Any]:
    """The parts of the model, and the source of the weights of each."""
    from zoo.model.build import summary
    from zoo.model.weights import digest

    data = summary(model)
    for slot, part in data["parts"].items():
        source = swap.sources.get(slot)
        weights = digest(model.get_submodule(slot).state_dict())
        part |= {"source": str(source.path) if source else None, "weights": weights}
    return data


def _origins(data: dict[str, Any]) -> list[str]:
    """Which parts have trained weights, and their sources."""
    slots: dict[str, list[str]] = {}
    for slot, part in data["parts"].items():
        slots.setdefault(part["source"] or "", []).append(slot)
    untrained = slots.pop("", [])
    lines = [f"weights from {source}: {', '.join(names)}" for source, names in slots.items()]
    return [*lines, *([f"untrained: {', '.join(untrained)}"] if untrained else [])]


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
        other_sizes = {name: value for name, value in part["sizes"].items() if name not in part["settings"]}
        sizes = ", ".join(f"{value} {name}" for name, value in other_sizes.items())
        lines = "\n".join(filter(None, [settings, sizes]))
        table.add_row(slot, part["name"], lines, f"{part['parameters']:,}")
    table.add_section()
    table.add_row("", "", "", f"{data['parameters']:,}")
    return table


def _short(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
