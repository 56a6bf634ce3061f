"""`zoo models`: the pretrained models that are installed with the zoo."""

from __future__ import annotations

import json
from typing import Any

import click

from zoo.cli.runs import OF_TRAINING


@click.group("models")
def command() -> None:
    """List the pretrained models that are installed with the zoo.

    Use the name of a pretrained model wherever a command takes a bundle: `zoo generate bach -o new.mid`,
    `zoo evaluate bach data=bach`, `zoo build core=@bach decoder=rbm`.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def list_models(as_json: bool) -> None:
    """List each model with its parts, the music it was trained on, and its validation score."""
    from rich.table import Table

    from zoo.cli.as_json import print_json
    from zoo.cli.console import print_list, stderr, visible
    from zoo.model.pretrained import pretrained_names
    from zoo.parts.kinds import marked

    models = [_to_json(name) for name in pretrained_names()]
    if as_json:
        print_json(models)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("model", "parts", "trained on", "nats", "size"):
        table.add_column(heading, overflow="fold")
    for model in models:
        words = (model["name"], model["parts"], model["data"])
        nats = marked(model["validation"], model["kind"])
        table.add_row(*map(visible, words), nats, f"{model['bytes'] / 1e6:.1f} MB")
    print_list(table)
    stderr.print_line(f"nats: {OF_TRAINING}; ≤ a bound, ~ an estimate; `zoo show NAME` prints the model card")


def _to_json(name: str) -> dict[str, Any]:
    """The configuration of a pretrained model, read without torch."""
    from zoo.model.pretrained import FOLDER
    from zoo.model.sealed import CONFIG, WEIGHTS
    from zoo.parts.kinds import combined_kind
    from zoo.parts.terms import OF_SCORE

    config = json.loads((FOLDER / name / CONFIG).read_text("utf-8"))
    parts, scores = config["recipe"]["parts"], config["scores"]
    return {
        "name": name,
        "parts": " ".join(f"{slot}={part['name'].rpartition('/')[2]}" for slot, part in parts.items()),
        "data": config["data"]["name"],
        "digest": config["data"]["digest"],
        "validation": sum(scores["validation"][term] for term in OF_SCORE),
        "kind": combined_kind(scores["validation_kinds"][term] for term in OF_SCORE),
        "bytes": (FOLDER / name / WEIGHTS).stat().st_size,
    }
