"""`zoo generate`: new music from a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zoo.music.roll import Roll


@click.command("generate")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="The MIDI file to write.")
@click.option("--frames", default=256, show_default=True, help="How many sixteenths; 16 are a bar of 4/4.")
@click.option("--count", default=1, show_default=True, help="How many pieces: OUT-1.mid, OUT-2.mid, ...")
@click.option("--primer", type=click.Path(path_type=Path), help="A MIDI file to continue.")
@click.option("--temperature", default=1.0, show_default=True, help="Below 1 tamer, above 1 wilder.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw the first piece as a PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    bundle: Path,
    output: Path,
    frames: int,
    count: int,
    primer: Path | None,
    temperature: float,
    seed: int,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Write new music with a trained model, from silence or after a primer."""
    from zoo.model.bundle import load_bundle
    from zoo.model.generate import generate
    from zoo.music.midi import read_midi

    opening = read_midi(primer) if primer else None
    rolls = generate(load_bundle(bundle), frames, count, seed, temperature, opening)
    written = []
    for number, roll in enumerate(rolls, start=1):
        path = output if count == 1 else output.with_stem(f"{output.stem}-{number}")
        roll.write(path)
        written.append({"path": str(path), **_facts(roll)})
    if picture:
        from zoo.music.picture import write_picture

        write_picture(rolls[0], picture)
    _print(written, picture, as_json)


def _facts(roll: Roll) -> dict[str, Any]:
    """What can be said of a piece without hearing it."""
    assert roll.onset is not None
    sounding = roll.sounding.sum(1)
    return {
        "frames": roll.frames,
        "notes": int(roll.onset.sum()),
        "polyphony": round(float(sounding.mean()), 2) if roll.frames else 0.0,
        "silent_frames": int((sounding == 0).sum()),
    }


def _print(written: list[dict[str, Any]], picture: Path | None, as_json: bool) -> None:
    from zoo.cli.console import print_json, show

    if as_json:
        print_json({"pieces": written, "picture": str(picture) if picture else None})
        return
    for piece in written:
        show.print(
            f"{piece['path']}: {piece['notes']} notes in {piece['frames']} sixteenths, "
            f"{piece['polyphony']} keys sounding on average"
        )
    if picture:
        show.print(f"{picture}: the picture")
