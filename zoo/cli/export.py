"""`zoo export`: a part of a bundle as a torch.export program."""

from __future__ import annotations

import io
from pathlib import Path

import click

from zoo.cli.as_json import print_json
from zoo.cli.named import one_slot
from zoo.cli.overwriting import force_option, would_be_lost, write_outputs
from zoo.errors import Problem, UsageError


@click.command("export")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("slot")
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="File to write: .pt2.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(bundle: Path, slot: str, output: Path, force: bool, as_json: bool) -> None:
    """Export the encoder, attention or velocity of a bundle as a torch.export program.

    The program runs without the zoo, one frame at a time, and is compared with the part. A README with the
    shapes of its inputs and outputs is stored in the file and printed.
    """
    from zoo.cli.console import stdout, visible
    from zoo.cli.opened import open_named

    if output.suffix != ".pt2":
        raise UsageError(Problem("the name of a program must end in .pt2", str(output), "write -o part.pt2"))
    if problems := would_be_lost([output], force):
        raise UsageError(*problems)
    part = one_slot(slot, slot)
    model = open_named(bundle).model

    import torch

    from zoo.model.export import export_part

    exported = export_part(model, part)
    # In memory first: torch ends the process if it cannot write a file.
    content = io.BytesIO()
    torch.export.save(exported.program, content, extra_files={"README.md": exported.readme})
    output = write_outputs([(output, content.getvalue())], force).get(output, output)
    if as_json:
        print_json({"path": str(output), "slot": part, "error": exported.error, "readme": exported.readme})
        return
    stdout.print(visible(exported.readme, lines=True), soft_wrap=True)
    stdout.print(visible(f"{output}: the {part}, with this text as README.md"))
