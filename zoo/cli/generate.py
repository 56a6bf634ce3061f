"""`zoo generate`: new music from a bundle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.overwriting import force_option, would_be_lost
from zoo.errors import Problem, UsageError
from zoo.limits import too_much_music
from zoo.music.grid import QUARTERS

if TYPE_CHECKING:
    from zoo.music.roll import Roll


@click.command("generate")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="The MIDI file to write.")
@click.option(
    "--frames",
    type=int,
    show_default=f"{QUARTERS} quarter notes",
    help="How many new frames; on a grid of sixteenths 16 are a bar of 4/4.",
)
@click.option("--count", default=1, show_default=True, help="How many pieces: OUT-1.mid, OUT-2.mid, ...")
@click.option(
    "--primer",
    type=click.Path(),
    metavar="FILE[:TRACK,...]",
    help="A MIDI file to continue, all of it or the tracks with these titles.",
)
@click.option(
    "--meter",
    metavar="BEATS/UNIT",
    show_default="most common in training",
    help="Time signature of the new piece, such as 3/4; a primer has its own.",
)
@click.option("--temperature", default=1.0, show_default=True, help="Below 1 tamer, above 1 wilder.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw the first piece as a PNG.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    show_default="one for small models",
    help="Threads to compute with.",
)
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    bundle: Path,
    output: Path,
    frames: int | None,
    count: int,
    primer: str | None,
    meter: str | None,
    temperature: float,
    seed: int,
    picture: Path | None,
    threads: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write new music with a trained model, from silence or after a primer."""
    if problems := too_much_music(frames or 1, count):
        raise UsageError(*problems)
    paths = [output.with_stem(f"{output.stem}-{number}") for number in range(1, count + 1)]
    paths = paths if count > 1 else [output]
    place, tracks = _split_primer(primer)
    _check(paths, picture, place, force)
    signature = _signature(meter, primer)
    from zoo.cli.progress import waiting
    from zoo.learn.record import meter_of, pedal_of
    from zoo.model.bundle import open_bundle
    from zoo.model.generate import generate
    from zoo.music.meter import Meter
    from zoo.music.midi import read_midi

    opened = open_bundle(bundle)
    model, grid = opened.model, opened.model.grid
    pedal = pedal_of(opened.record)
    opening = read_midi(place, tracks=tracks, grid=grid, pedal=pedal, rest=True) if place else None
    chosen = Meter.of(*signature, grid=grid) if signature else meter_of(opened.record, grid)
    frames = QUARTERS * grid if frames is None else frames
    with waiting(f"writing {output}") as progress:
        rolls = generate(
            model,
            frames,
            count,
            seed,
            temperature,
            opening,
            progress,
            meter=chosen,
            threads=threads or "auto",
        )
    written = []
    for path, roll in zip(paths, rolls, strict=True):
        roll.write(path)
        written.append({"path": str(path), **_facts(roll)})
    if picture:
        from zoo.music.picture import write_picture

        write_picture(rolls[0], picture)
    _print(written, opening.frames if opening else 0, picture, as_json)


def _split_primer(primer: str | None) -> tuple[Path | None, Sequence[str]]:
    """The file, and the titles of the tracks that are to be continued."""
    from zoo.data.folder import split_tracks

    if primer is None:
        return None, ()
    place, tracks = (primer, ()) if Path(primer).exists() else split_tracks(primer)
    return Path(place), tracks


def _signature(meter: str | None, primer: str | None) -> tuple[int, int] | None:
    """The time signature that the user asks for, as upper and lower number."""
    if meter is None:
        return None
    if primer is not None:
        what = "a primer goes on in its own meter"
        raise UsageError(Problem(what, "--meter", "leave out --meter, or the primer"))
    found = re.fullmatch(r"(\d{1,3})/(1|2|4|8|16|32|64)", meter)
    if found is None or not 1 <= int(found[1]) <= 255:
        what = f"{meter!r} is not a time signature"
        raise UsageError(Problem(what, "--meter", "write one such as 3/4, 6/8 or 5/4"))
    return int(found[1]), int(found[2])


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
    signatures = roll.meter.signatures(roll.frames)
    return {
        "frames": roll.frames,
        "bars": roll.meter.bars(roll.frames).count,
        "meter": list(dict.fromkeys(map(str, signatures))),
        "notes": int(roll.onset.sum()),
        "polyphony": round(float(sounding.mean()), 2) if roll.frames else 0.0,
        "silent_frames": int((sounding == 0).sum()),
    }


def _print(written: list[dict[str, Any]], primed: int, picture: Path | None, as_json: bool) -> None:
    from zoo.cli.console import print_json, show, visible

    if as_json:
        print_json({"pieces": written, "primer_frames": primed, "picture": str(picture) if picture else None})
        return
    given = f", {primed} of them the primer" if primed else ""
    for piece in written:
        bars = f"{piece['bars']} bar{'' if piece['bars'] == 1 else 's'} of {', '.join(piece['meter'])}"
        told = f"{piece['path']}: {piece['notes']} notes in {bars} ({piece['frames']} frames{given}), "
        show.print(visible(f"{told}{piece['polyphony']} keys sounding on average"))
    if picture:
        show.print(visible(f"{picture}: the picture"))
