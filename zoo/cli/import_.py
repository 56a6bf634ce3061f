"""`zoo import`: checkpoints of the original system as a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.overwriting import force_option, keep_what_is_there, note_kept_card
from zoo.cli.words import shell_path


@click.command("import")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.pt")
@click.argument("decoder", type=click.Path(path_type=Path), metavar="DECODER.pt")
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="The bundle to write.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print what was imported as JSON.")
def command(model: Path, decoder: Path, output: Path, force: bool, as_json: bool) -> None:
    """Convert a model and a decoder of the original notebooks to a bundle.

    Only weights are read; no code in the files is run. Incomplete or damaged files are rejected.
    """
    keep_what_is_there(output, force)
    from zoo.cli.console import print_json, stderr, stdout, visible
    from zoo.model.build import summary
    from zoo.model.bundle import save_bundle
    from zoo.model.original import read_original, restore
    from zoo.registry import open_registry

    restored = restore(read_original(model, decoder), open_registry())
    files = f"{model.name} and {decoder.name}"
    data, training = {"name": "the original's own pieces"}, {"imported from": files}
    keep_what_is_there(output, force)  # again: a bundle may have appeared meanwhile
    note_kept_card(save_bundle(restored, output, data=data, training=training))
    facts = summary(restored)
    if as_json:
        print_json({**facts, "bundle": str(output)})
        return
    stdout.print(visible(f"{output}: {facts['recipe']}, {facts['parameters']:,} parameters from {files}"))
    stderr.print(visible(f"Generate music with: zoo generate {shell_path(output)} -o OUT.mid"))
