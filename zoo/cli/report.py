"""`zoo report`: a page to listen to what models write."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.overwriting import force_option, would_be_lost
from zoo.errors import Problem, UsageError

if TYPE_CHECKING:
    from zoo.model.bundle import Bundle
    from zoo.report import Piece
    from zoo.report.hearing import Opening

FINE = 24
"""Frames to a quarter note at which MIDI files are read to be heard; all but the finest ornaments fit."""


@dataclass
class Named:
    """What the words of the command name, in their order.

    Attributes:
        bundles: name -> folder of a bundle.
        runs: folders of runs.
        music: MIDI files.
    """

    bundles: dict[str, Path] = field(default_factory=dict)
    runs: list[Path] = field(default_factory=list)
    music: list[Path] = field(default_factory=list)


@click.command("report")
@click.argument("words", nargs=-1, required=True, metavar="[BUNDLE|RUN|FILE.mid]...")
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="The page to write.")
@click.option(
    "--bars", type=click.IntRange(1, 1000), default=16, show_default=True, help="New bars of a piece."
)
@click.option(
    "--count",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Pieces that each model writes.",
)
@click.option("--primer", type=click.Path(path_type=Path), metavar="FILE", help="A MIDI file to go on from.")
@click.option(
    "--primer-bars",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    help="How many bars of it are given, from the first.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same music.")
@force_option
def command(
    words: tuple[str, ...],
    output: Path,
    bars: int,
    count: int,
    primer: Path | None,
    primer_bars: int,
    seed: int,
    force: bool,
) -> None:
    """Make a page to listen to what models write; it opens in any browser and fetches nothing.

    Models write from the same seed, and with --primer from the same opening, and stand side by side; the
    piece that the opening is from stands beside them. MIDI files are played as they are. The page plays,
    shows the notes, hands out the MIDI files, and can hide the names for a vote by ear (see `zoo votes`).
    """
    named = _named(words)
    _check(output, primer, named, force)
    from zoo.cli.console import show, visible
    from zoo.report import Report, write_report

    pieces = [*_played(named.music), *_written(named, primer, primer_bars, bars, count, seed)]
    title = ", ".join(Path(word).name for word in words)
    context = click.get_current_context()
    report = Report(title=title, pieces=pieces, command=_said(context))
    write_report(report, output)
    heard = "1 piece" if len(pieces) == 1 else f"{len(pieces)} pieces"
    show.print(visible(f"{output}: {heard} to listen to; open it in a browser"))


def _said(context: click.Context) -> str:
    """The command as it can be given again: the words, and what was chosen."""
    words = list(context.params["words"])
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if isinstance(option, click.Option) and not option.is_flag and value not in (option.default, None):
            words += [option.opts[-1], str(value)]
    return shlex.join(["zoo", "report", *words])


def _named(words: Sequence[str]) -> Named:
    """The words by what they are.

    Raises:
        UsageError: some are nothing that a report can show; all of them.
    """
    from zoo.model.sealed import MANIFEST
    from zoo.music.listing import is_midi_name

    named, problems = Named(), []
    for word in dict.fromkeys(words):
        path = Path(word)
        if (path / MANIFEST).is_file():
            named.bundles[word] = path
        elif (path / "recipe.json").is_file():
            named.runs.append(path)
            if (path / "bundle" / MANIFEST).is_file():
                named.bundles[word] = path / "bundle"
        elif path.is_file() and is_midi_name(path):
            named.music.append(path)
        else:
            problems.append(_strange(word, path))
    if problems:
        raise UsageError(*problems)
    return named


def _strange(word: str, path: Path) -> Problem:
    cure = "name a bundle, a run or a MIDI file"
    if not path.exists():
        return Problem("there is no bundle, run or file of this name", word, cure)
    if path.is_dir():
        return Problem("this folder is neither a bundle nor a run", word, cure)
    return Problem("a report cannot show this file", word, cure)


def _check(output: Path, primer: Path | None, named: Named, force: bool) -> None:
    """Find out before any work whether the page can be written and whether there is something to show."""
    problems = []
    if output.suffix.lower() not in (".html", ".htm"):
        problems.append(Problem("a report is a page of HTML", str(output), f"write -o {output.stem}.html"))
    elif not output.parent.is_dir():
        problems.append(
            Problem(
                f"there is no folder {output.parent}", str(output), "make it first, or name another place"
            )
        )
    if primer and not named.bundles:
        problems.append(Problem("a primer needs a model to go on from it", "--primer", "name a bundle"))
    problems += would_be_lost([output], force)
    if problems:
        raise UsageError(*problems)


def _played(files: Sequence[Path]) -> Iterator[Piece]:
    """The MIDI files as they are."""
    from zoo.music.beats import find_beats, read_beats
    from zoo.music.guard import DEFAULT_LIMITS, read_file
    from zoo.music.midi import examine_bytes
    from zoo.report import Piece

    for path in files:
        content, beside = read_file(path, DEFAULT_LIMITS), find_beats(path)
        beats = read_beats(beside) if beside else None
        roll = examine_bytes(content, path, grid=FINE, beats=beats).roll
        yield Piece(str(path), roll, "MIDI file", midi=content)


def _written(
    named: Named, primer: Path | None, primer_bars: int, bars: int, count: int, seed: int
) -> Iterator[Piece]:
    """What the models write, opening by opening, each beside how the piece itself goes on."""
    from zoo.cli.progress import waiting
    from zoo.model.bundle import open_bundle
    from zoo.report.hearing import continued, truth

    bundles = {name: open_bundle(path) for name, path in named.bundles.items()}
    for opening in _openings(bundles, primer, primer_bars, count, seed):
        human = truth(opening, bars)
        if human:
            yield human
        for name, bundle in bundles.items():
            with waiting(f"{name} writes") as progress:
                yield continued(name, bundle, opening, bars, progress)


def _openings(
    bundles: dict[str, Bundle], primer: Path | None, primer_bars: int, count: int, seed: int
) -> list[Opening]:
    from zoo.music.primer import read_primer
    from zoo.report.hearing import Opening, silences

    if primer is None:
        return silences(bundles, count, seed)
    whole = read_primer(primer, grid=FINE)
    return [
        Opening(
            group=f"After the opening of {primer.name}, seed {number}",
            seed=number,
            primer=lambda grid, pedal: read_primer(primer, grid=grid, pedal=pedal, bars=(1, primer_bars)),
            whole=whole,
            title=primer.name,
        )
        for number in range(seed, seed + count)
    ]
