"""`zoo report`: a page with music of models, their scores, trainings and recipes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.overwriting import force_option, would_be_lost, write_outputs
from zoo.cli.report_openings import Wanted, given_bars, openings
from zoo.cli.report_words import Named, find_named
from zoo.cli.scoring import (
    EvaluateKeys,
    evaluate_keys,
    may_know_other_music,
    music_of,
    print_notes,
    scored,
)
from zoo.cli.words import is_key_value
from zoo.cli.written import suggested
from zoo.environment import is_on
from zoo.errors import Problem, UsageError
from zoo.music.grid import FINE_GRID

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.model.bundle import Bundle
    from zoo.report import ListeningPiece


@click.command("report")
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="[BUNDLE|RUN|FILE.mid|STUDY.toml|RESULTS.json]... [KEY=VALUE]...",
)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.html",
    help="The page to write.",
)
@click.option(
    "--bars",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Number of new bars per piece.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Number of pieces that each model generates.",
)
@click.option(
    "--primer",
    metavar="FILE[:TRACK,...]",
    help="MIDI file to continue, or its tracks with these titles; by default a held-out piece with data=, "
    "else silence.",
)
@click.option(
    "--primer-bars",
    default="4",
    metavar="N[-M]",
    show_default=True,
    help="Bars of the primer: 4 for the first four, 9-12 for those.",
)
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print what is on the page as JSON.")
def command(
    words: tuple[str, ...],
    output: Path,
    bars: int,
    count: int,
    primer: str | None,
    primer_bars: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write a page with music of models to listen to; it opens in any browser, offline.

    Models are compared side by side, generated from the same seed and primer. MIDI files are played as they
    are; studies (see `zoo bench`) and the output of `zoo evaluate --json` become tables; runs show their
    learning curves.

    With data=NAME or data=FOLDER models continue held-out pieces, which are shown next to them, and are
    scored as by `zoo evaluate`, which explains split=, seed=, samples= and temperature=. The page can hide
    all names for a blind vote.
    """
    named = find_named([word for word in words if not is_key_value(word)])
    keys = evaluate_keys([word for word in words if is_key_value(word)])
    has_data = any(word.startswith("data=") for word in words)
    given = given_bars(primer_bars, primer)
    unused = [] if has_data else list(_without_data(click.get_current_context(), primer))
    _check(output, primer, named, has_data, force, unused)
    from zoo.report import Report, report_bytes
    from zoo.report.learning import Training
    from zoo.report.recipe import RecipeSummary
    from zoo.report.results import read_results

    trainings = [Training.read(folder, name) for name, folder in named.runs.items()]
    results = [result for file in named.results for result in read_results(file)]
    results += [result for file in named.studies for result in _study(file)]
    bundles = _opened(named.bundles)
    wanted = Wanted(bars, count, primer, given, keys.seed)
    corpus = _corpus(bundles, keys) if has_data else None
    pieces = [*_played(named.music), *_written(bundles, corpus, keys, wanted)]
    report = Report(
        title=", ".join(Path(word).name or word for word in words if not is_key_value(word)),
        pieces=pieces,
        results=[*results, *([_measured(bundles, corpus, keys)] if corpus else [])],
        trainings=trainings,
        recipes=[RecipeSummary.from_bundle(name, bundle) for name, bundle in bundles.items()],
        command=_command_line(click.get_current_context()),
    )
    output = write_outputs([(output, report_bytes(report))], force).get(output, output)
    _print(report, output, as_json)


def _without_data(context: click.Context, primer: str | None) -> Iterator[Problem]:
    """Words and options that have no effect without music to score and continue."""
    for word in filter(is_key_value, context.params["words"]):
        if not word.startswith("seed="):
            yield Problem(
                "it only applies to the music that models are scored on", word, "add data=MUSIC, or remove it"
            )
    source = context.get_parameter_source("primer_bars")
    if primer is None and source is click.core.ParameterSource.COMMANDLINE:
        yield Problem("there is nothing to continue", "--primer-bars", "add --primer FILE or data=MUSIC")


def _check(
    output: Path, primer: str | None, named: Named, has_data: bool, force: bool, unused: Sequence[Problem]
) -> None:
    """Check before any work that the page can be written and that all options apply."""
    problems = list(unused)
    if output.suffix.lower() not in (".html", ".htm"):
        problems.append(
            Problem("a report is an HTML page", str(output), f"write -o {suggested(output, '.html')}")
        )
    elif not output.parent.is_dir():
        problems.append(
            Problem(f"there is no folder {output.parent}", str(output), "create it, or choose another path")
        )
    for value, option in ((primer, "--primer"), (has_data, "data=")):
        if value and not named.bundles:
            problems.append(Problem("there is no model to use it with", option, "name a bundle or a run"))
    problems += would_be_lost([output], force)
    if problems:
        raise UsageError(*problems)


def _command_line(context: click.Context) -> str:
    """The command line that writes this page again."""
    words = [f"./{word}" if word.startswith("-") else word for word in context.params["words"]]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if isinstance(option, click.Option) and not option.is_flag and value not in (option.default, None):
            words += [option.opts[-1], str(value)]
    return shlex.join(["zoo", "report", *words, *(["--local"] if is_on("ZOO_LOCAL") else [])])


def _study(file: Path) -> list[dict[str, Any]]:
    """The tables of a study from the results that are stored beside it."""
    from zoo.bench.assembly import tables
    from zoo.bench.formatted import table_to_json
    from zoo.bench.notes import without_row
    from zoo.bench.results import Results
    from zoo.bench.study import read_study
    from zoo.cli.console import stderr
    from zoo.registry import open_registry

    registry = open_registry()
    stored = tables(read_study(file, registry), Results(file.parent / "results"), registry)
    for table in stored:
        for note in without_row(table):
            stderr.print_line(f"note: {file} on {table.data}: {note}")
    return [table_to_json(table) for table in stored if table.rows]


def _opened(folders: Mapping[str, Path]) -> dict[str, Bundle]:
    if not folders:
        return {}
    from zoo.cli.opened import open_named

    return {name: open_named(path) for name, path in folders.items()}


def _corpus(bundles: Mapping[str, Bundle], keys: EvaluateKeys) -> Corpus:
    """The music that the models are scored on, if all of them can read it."""
    corpus = music_of(keys, {name: bundle.model for name, bundle in bundles.items()})
    print_notes(bundles, corpus, keys)
    return corpus


def _measured(bundles: Mapping[str, Bundle], corpus: Corpus, keys: EvaluateKeys) -> dict[str, Any]:
    """The scores of the models, as printed by `zoo evaluate --json`."""
    from zoo.measure.to_json import evaluations_to_json

    rows, floors = scored(bundles, [[]], corpus, keys)
    return evaluations_to_json(rows, corpus, keys.split, keys.seed, floors)


def _played(files: Sequence[Path]) -> Iterator[ListeningPiece]:
    """The MIDI files as they are."""
    from zoo.cli.music import note_lost
    from zoo.music.beats import find_beats, read_beats
    from zoo.music.guard import DEFAULT_LIMITS, read_file
    from zoo.music.midi import examine_bytes
    from zoo.report import ListeningPiece

    for path in files:
        content, beat_file = read_file(path, DEFAULT_LIMITS), find_beats(path)
        beats = read_beats(beat_file) if beat_file else None
        reading = examine_bytes(content, path, grid=FINE_GRID, beats=beats)
        note_lost(path, reading)
        yield ListeningPiece(str(path), reading.roll, "MIDI file", midi=content)


def _written(
    bundles: Mapping[str, Bundle], corpus: Corpus | None, keys: EvaluateKeys, wanted: Wanted
) -> list[ListeningPiece]:
    """The continuations of each opening by all models, after that of the piece itself."""
    if not bundles:
        return []
    from dataclasses import replace

    from zoo.cli.progress import waiting
    from zoo.report.listening import generated_piece, mark_copies, original_piece

    pieces = []
    for each in openings(corpus, keys.split, wanted, bundles.values()):
        opening = replace(each, temperature=keys.temperature)
        original = original_piece(opening, wanted.bars)
        pieces += [original] if original else []
        for name, bundle in bundles.items():
            with waiting(f"{name} writes") as progress:
                pieces.append(generated_piece(name, bundle, opening, wanted.bars, progress))
    same_grid = corpus is not None and all(piece.roll.meter.grid == corpus.grid for piece in pieces)
    if (
        corpus is None
        or not same_grid
        or any(may_know_other_music(each, corpus) for each in bundles.values())
    ):
        return pieces
    return mark_copies(pieces, corpus.split("train"))


def _print(report: Any, output: Path, as_json: bool) -> None:
    from zoo.cli.console import print_json, stdout, visible

    if as_json:
        pieces = [
            {"name": piece.name, "group": piece.group, "frames": piece.roll.frames, "primer": piece.primer}
            for piece in report.pieces
        ]
        print_json({"path": str(output), "pieces": pieces, "results": len(report.results)})
        return
    count = len(report.pieces)
    content = f"{count} piece{'' if count == 1 else 's'} to listen to" if count else "tables and charts"
    stdout.print(visible(f"{output}: {content}; open it in a browser"))
