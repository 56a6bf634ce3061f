"""`zoo generate`: new music from a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.overwriting import force_option, would_be_lost
from zoo.errors import Problem, UsageError

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
@force_option
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
    force: bool,
    as_json: bool,
) -> None:
    """Write new music with a trained model, from silence or after a primer."""
    paths = [output.with_stem(f"{output.stem}-{number}") for number in range(1, count + 1)]
    paths = paths if count > 1 else [output]
    _check(paths, picture, primer, force)
    from zoo.cli.progress import waiting
    from zoo.model.bundle import load_bundle
    from zoo.model.generate import generate
    from zoo.music.midi import read_midi

    opening = read_midi(primer) if primer else None
    model = load_bundle(bundle)
    with waiting(f"writing {output}") as progress:
        rolls = generate(model, frames, count, seed, temperature, opening, progress)
    written = []
    for path, roll in zip(paths, rolls, strict=True):
        roll.write(path)
        written.append({"path": str(path), **_facts(roll)})
    if picture:
        from zoo.music.picture import write_picture

        write_picture(rolls[0], picture)
    _print(written, opening.frames if opening else 0, picture, as_json)


def _check(paths: Sequence[Path], picture: Path | None, primer: Path | None, force: bool) -> None:
    """Find out before any work whether what comes of it can be kept, and costs nothing that is there."""
    problems = [
        Problem(f"there is no folder {place.parent}", str(place), "make it first, or name another place")
        for place in (paths[0], picture)
        if place and not place.parent.is_dir()
    ]
    primers = [
        path for path in paths if primer and path.exists() and primer.exists() and path.samefile(primer)
    ]
    problems += [
        Problem("this is the primer, which would be lost", str(path), "name another file") for path in primers
    ]
    problems += would_be_lost([path for path in (*paths, picture) if path not in primers], force)
    if problems:
        raise UsageError(*problems)


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


def _print(written: list[dict[str, Any]], primed: int, picture: Path | None, as_json: bool) -> None:
    from zoo.cli.console import print_json, show

    if as_json:
        print_json({"pieces": written, "primer_frames": primed, "picture": str(picture) if picture else None})
        return
    given = f" ({primed} of them the primer)" if primed else ""
    for piece in written:
        show.print(
            f"{piece['path']}: {piece['notes']} notes in {piece['frames']} sixteenths{given}, "
            f"{piece['polyphony']} keys sounding on average"
        )
    if picture:
        show.print(f"{picture}: the picture")
