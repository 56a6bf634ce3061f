"""`zoo generate`: new music from a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.overwriting import force_option, would_be_lost, write_outputs
from zoo.cli.report_openings import split_primer
from zoo.cli.written import (
    check_endings,
    note_outside,
    note_piano,
    note_relative_keys,
    piece_bytes,
    print_written,
    warn_of_dull,
)
from zoo.errors import Problem, UsageError
from zoo.limits import COLDEST, HOTTEST, too_much_music
from zoo.music.grid import QUARTERS

if TYPE_CHECKING:
    from zoo.music.roll import Roll


@click.command("generate")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="File to write: .mid, .wav (sound), .musicxml (notation) or .html (a page that plays it).",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    show_default=f"{QUARTERS} quarter notes",
    help="Length of the new music in frames; 16 frames are a bar of 4/4 on a grid of sixteenths.",
)
@click.option("--bars", type=click.IntRange(1, 10_000), help="Length of the new music in bars, instead.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, 36_000, min_open=True),
    help="Length of the new music in seconds, instead.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of pieces, with at most 1,048,576 new frames in all; if there are several, they are "
    "written to OUT-1.mid, OUT-2.mid and so on.",
)
@click.option(
    "--primer",
    type=click.Path(),
    metavar="FILE[:TRACK,...]",
    help="MIDI file to continue, either all of it or the tracks with these titles.",
)
@click.option(
    "--primer-bars",
    metavar="N[-M]",
    help="Only these bars of the primer: 4 for the first four, 9-12 for those.",
)
@click.option("--without-primer", is_flag=True, help="Write the new music alone.")
@click.option(
    "--tempo",
    type=click.FloatRange(10, 1000),
    show_default="that of the primer, or 120",
    help="Quarter notes per minute.",
)
@click.option(
    "--transpose",
    type=click.IntRange(-48, 48),
    default=0,
    help="Transpose the finished piece by this number of semitones; negative is down.",
)
@click.option(
    "--key",
    metavar="NAME",
    show_default="as written",
    help="Transpose the finished piece to this key, such as C, F#m or 'Bb minor'; its key is estimated, "
    "from the primer if there is one.",
)
@click.option(
    "--instrument",
    default="1",
    metavar="NAME|NUMBER",
    show_default="a grand piano",
    help="Instrument of General MIDI, such as violin or 41.",
)
@click.option(
    "--meter",
    metavar="BEATS/UNIT",
    show_default="that of the primer or training",
    help="Time signature of the new music, such as 3/4; after a primer it begins where the primer ends.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(COLDEST, HOTTEST),
    default=1.0,
    show_default=True,
    help="Below 1 the music becomes more predictable, above 1 more surprising.",
)
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Draw each decision from its likeliest outcomes, as few as have this probability in sum.",
)
@click.option(
    "--best-of",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Draw this many candidates for each piece, from consecutive seeds, and keep the one whose nats per "
    "frame are closest to those of validation music.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Seed of all random choices; the same seed gives the same file.",
)
@click.option(
    "--keep-silence",
    is_flag=True,
    help="Keep silent bars before the first note, which are otherwise left out (not after a primer).",
)
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="NAME",
    help="Device to compute on: cpu, cuda, cuda:1, mps, or auto for the fastest; on each kind of device "
    "a seed results in different music.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="PNG file for a piano roll of the first piece; its name ends in .png.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    show_default="one for small models",
    help="Number of threads to compute with.",
)
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    bundle: Path,
    output: Path,
    frames: int | None,
    bars: int | None,
    seconds: float | None,
    count: int,
    primer: str | None,
    primer_bars: str | None,
    without_primer: bool,
    tempo: float | None,
    transpose: int,
    key: str | None,
    instrument: str,
    meter: str | None,
    temperature: float,
    top_p: float,
    best_of: int,
    seed: int,
    keep_silence: bool,
    device: str,
    picture: Path | None,
    threads: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write new music with a trained model, from silence or after a primer."""
    check_endings(output, picture)
    if problems := [*too_much_music(frames or 1, count), *_lonely(primer, primer_bars, without_primer)]:
        raise UsageError(*problems)
    paths = [output.with_stem(f"{output.stem}-{number}") for number in range(1, count + 1)]
    paths = paths if count > 1 else [output]
    place, tracks = split_primer(primer)
    _check(paths, picture, place, force)
    signature = _signature(meter)
    from zoo.cli.music import note_lost
    from zoo.cli.opened import open_named
    from zoo.cli.progress import waiting
    from zoo.model.device import device_of
    from zoo.music.instruments import program
    from zoo.music.meter import Meter
    from zoo.music.midi import examine_midi
    from zoo.music.primer import bar_range, primer_of
    from zoo.music.saving import NOTATION, SOUND, check_notation
    from zoo.music.sound import check_length
    from zoo.music.tonality import Tonality
    from zoo.train.compose import GenerationRequest, compose, seconds_of
    from zoo.train.record import pedal_of

    played = program(instrument)
    given = bar_range(primer_bars) if primer_bars else None
    if key is not None:
        Tonality.parse(key, "--key")
    GenerationRequest(frames, bars, seconds, transpose=transpose, key=key).check()
    opened = open_named(bundle)
    opened.model.to(device_of(device, "--device"))
    grid, pedal = opened.model.grid, pedal_of(opened.record)
    reading = opening = None
    if place:
        reading = examine_midi(place, tracks=tracks, grid=grid, pedal=pedal)
        opening = primer_of(reading, place, given)
        note_lost(place, reading)
    chosen = Meter.of(*signature, grid=grid) if signature else None
    request = GenerationRequest(
        frames=frames,
        bars=bars,
        seconds=seconds,
        count=count,
        seed=seed,
        temperature=temperature,
        top_p=top_p,
        best_of=best_of,
        primer=opening,
        without_primer=without_primer,
        meter=chosen,
        tempo=tempo,
        transpose=transpose,
        key=key,
        keep_silence=keep_silence,
    )
    if output.suffix.lower() in SOUND:
        check_length(seconds_of(opened.model, opened.record, request))
    if output.suffix.lower() in NOTATION:
        check_notation(grid)
    with waiting(f"writing {output}") as progress:
        rolls = compose(opened.model, opened.record, request, progress, threads or "auto")
    written_primer = None if without_primer else opening
    pieces, first = dict(zip(paths, rolls, strict=True)), written_primer.frames if written_primer else 0
    taken = write_outputs(_contents(pieces, picture, played, first), force)
    note_piano(output, played)
    written = {taken.get(path, path): roll for path, roll in pieces.items()}
    picture = picture and taken.get(picture, picture)
    warn_of_dull(written, first)
    note_outside(written)
    if key is not None:
        note_relative_keys(written, key, opening)
    print_written(written, written_primer, picture, as_json, reading)


def _contents(
    pieces: Mapping[Path, Roll], picture: Path | None, instrument: int, primer: int
) -> Iterator[tuple[Path, bytes]]:
    """The files with the pieces, and the picture of the first one."""
    for path, roll in pieces.items():
        yield path, piece_bytes(roll, path, instrument, primer)
    if picture:
        from zoo.music.picture import picture_bytes

        yield picture, picture_bytes(next(iter(pieces.values())), primer=primer)


def _lonely(primer: str | None, primer_bars: str | None, without_primer: bool) -> list[Problem]:
    """A problem for each option that needs a primer, if there is none."""
    given = {"--primer-bars": primer_bars, "--without-primer": without_primer}
    hint = "add --primer FILE, or omit this option"
    return [
        Problem("there is no primer", name, hint) for name, value in given.items() if value and not primer
    ]


def _signature(meter: str | None) -> tuple[int, int] | None:
    """The requested time signature, as its upper and lower number."""
    if meter is None:
        return None
    match = re.fullmatch(r"(\d{1,3})/(1|2|4|8|16|32|64)", meter)
    if match is None or not 1 <= int(match[1]) <= 255:
        what = f"{meter!r} is not a time signature"
        raise UsageError(Problem(what, "--meter", "write one such as 3/4, 6/8 or 5/4"))
    return int(match[1]), int(match[2])


def _check(paths: Sequence[Path], picture: Path | None, primer: Path | None, force: bool) -> None:
    """Check before any work that the results can be written and that no file would be lost."""
    problems = [
        Problem(f"there is no folder {place.parent}", str(place), "create it, or choose another path")
        for place in (paths[0], picture)
        if place and not place.parent.is_dir()
    ]
    primers = [
        path for path in paths if primer and path.exists() and primer.exists() and path.samefile(primer)
    ]
    problems += [
        Problem("this is the primer, which would be lost", str(path), "choose another file")
        for path in primers
    ]
    problems += would_be_lost([path for path in (*paths, picture) if path not in primers], force)
    if problems:
        raise UsageError(*problems)
