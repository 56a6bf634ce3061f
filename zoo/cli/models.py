"""`zoo models`: the pretrained models that come with the zoo."""

from __future__ import annotations

import json
from typing import Any

import click


@click.group("models")
def command() -> None:
    """List the pretrained models that come with the zoo.

    A pretrained model is named wherever a bundle is: `zoo generate bach -o new.mid`, `zoo evaluate bach`,
    `zoo build core=@bach decoder=rbm`.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_models(as_json: bool) -> None:
    """List each model with its parts, the music it was trained on, and its validation score."""
    from rich.table import Table

    from zoo.cli.console import print_json, show, visible
    from zoo.model.pretrained import pretrained_names

    models = [_facts(name) for name in pretrained_names()]
    if as_json:
        print_json(models)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("model", "parts", "trained on", "nats", "size"):
        table.add_column(heading, overflow="fold")
    for model in models:
        nats = "-" if model["validation"] is None else f"{model['validation']:.3f}"
        words = (model["name"], model["parts"], model["data"], nats, f"{model['bytes'] / 1e6:.1f} MB")
        table.add_row(*map(visible, words))
    show.print(table)
    show.print("nats: per frame of the validation pieces, lower is better; zoo evaluate scores unseen pieces")


def _facts(name: str) -> dict[str, Any]:
    """What the configuration of a pretrained model says, read without torch."""
    from zoo.model.pretrained import FOLDER
    from zoo.model.sealed import CONFIG, WEIGHTS

    config = json.loads((FOLDER / name / CONFIG).read_text("utf-8"))
    parts = config["recipe"]["parts"]
    scores = (config.get("scores") or {}).get("validation") or {}
    return {
        "name": name,
        "parts": " ".join(f"{slot}={part['name'].rpartition('/')[2]}" for slot, part in parts.items()),
        "data": config["data"]["name"],
        "digest": config["data"]["digest"],
        "validation": sum(scores.values()) if scores else None,
        "bytes": (FOLDER / name / WEIGHTS).stat().st_size,
    }
