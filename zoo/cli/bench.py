"""`zoo bench`: studies, which compare many combinations under one budget."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from zoo.cli.answer import ANSWER
from zoo.errors import Problem, UsageError, ZooError

if TYPE_CHECKING:
    from zoo.bench.driver import Music, Progress, Runner
    from zoo.bench.study import Study

FILE = click.argument("file", type=click.Path(path_type=Path), metavar="FILE.toml")
RESULTS = click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Where results are kept; results/ beside the study unless given.",
)


@click.group("bench")
def command() -> None:
    """Compare combinations: train all that a study needs, and print its table."""


@command.command("run")
@FILE
@RESULTS
@click.option(
    "--data", "places", multiple=True, metavar="NAME=PATH", help="Where music of the study lies here."
)
@click.option(
    "--runner",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Where to run: on this machine or on Ray.",
)
@click.option("--address", help="The Ray cluster to join; one on this machine unless given.")
@click.option(
    "--jobs", type=click.IntRange(1), help="Cells done side by side; one for each core unless given."
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Where trainings are kept; runs/ beside the study unless given.",
)
@click.option(
    "--replace", is_flag=True, help="Replace results of other music, or of an earlier reading of it."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def run(
    file: Path,
    results: Path | None,
    places: tuple[str, ...],
    runner: Literal["local", "ray"],
    address: str | None,
    jobs: int | None,
    work: Path | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Train and score what a study still lacks.

    Each distinct core, decoder and velocity is trained once for each seed, and rows are put together from
    them. A result is kept as soon as it is there, so a run that is stopped or killed goes on where it was:
    give the same command again. Results of other music under the same name, or of an earlier reading of it,
    stop it before any work: --results keeps both, --replace computes them again.

    With --runner ray and --address, cells are done by the machines of a Ray cluster. They need no shared
    disk: the zoo installed, and the music under the same name or path. Results come back to this machine,
    trainings stay where they were done.
    """
    from zoo.bench.driver import Driver
    from zoo.bench.results import Results, prepare
    from zoo.bench.study import read_study
    from zoo.cli.bench_watch import Watch
    from zoo.cli.console import print_json, talk, visible
    from zoo.registry import open_registry
    from zoo.train.lock import claimed

    if address and runner != "ray":
        raise UsageError(Problem("only Ray joins a cluster", "--address", "add --runner ray"))
    registry = open_registry()
    study = read_study(file, registry)
    music = _music(study, _places(study, places))
    stored, work = Results(results or file.parent / "results"), work or file.parent / "runs"
    prepare(stored.folder, "--results")
    prepare(work, "--work")
    with claimed(work / f"{study.name}.driver", "runs this study"):
        worker = _runner(runner, work, jobs, address)
        with Watch(talk) as watch:
            progress = Driver(study, stored, worker, music, registry, watch, replace_outdated=replace).run()
    if as_json:
        print_json(_said(progress))
    if progress.failed:
        raise ZooError(*(problem for problems in progress.failed.values() for problem in problems))
    talk.print(visible(f"{progress.done} cells done, {progress.ran} of them now."))
    options = ["--results", str(results)] if results else []
    options += ["--local"] if _has_files(study) else []
    talk.print(visible(f"Next:  zoo bench table {shlex.join([str(file), *options])}"))


@command.command("pack")
@FILE
@RESULTS
@click.option("--json", "as_json", is_flag=True, help="Print the number of packed results as JSON.")
def pack(file: Path, results: Path | None, as_json: bool) -> None:
    """Store the results of a study in one file for each music, sorted, ready to be committed.

    While a study runs, each result is a file of its own. Packing moves these files, and those of other
    studies on the same music, into DATA.jsonl; `zoo bench run` and `zoo bench table` read both.
    """
    from zoo.bench.results import Results
    from zoo.bench.study import read_study
    from zoo.cli.console import print_json, show, visible
    from zoo.registry import open_registry

    study = read_study(file, open_registry())
    stored = Results(results or file.parent / "results")
    counts = {data: stored.pack(data) for data in study.settings.data if stored.has(data)}
    if as_json:
        print_json({str(stored.pack_of(data)): count for data, count in counts.items()})
        return
    for data, count in counts.items():
        show.print(visible(f"{stored.pack_of(data)}: {count} result{'' if count == 1 else 's'}"))
    if not counts:
        show.print(visible(f"{stored.folder} holds no results of this study"))


@command.command("table")
@FILE
@RESULTS
@click.option("--data", "only", multiple=True, metavar="NAME", help="Only the table of this music.")
@click.option("--md", "as_md", is_flag=True, help="Print it in Markdown.")
@click.option("--latex", "as_latex", is_flag=True, help="Print it in LaTeX, for booktabs and amssymb.")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known of each row as JSON.")
def table(
    file: Path, results: Path | None, only: tuple[str, ...], as_md: bool, as_latex: bool, as_json: bool
) -> None:
    """Print the table of a study from what is stored: one for each music, the lowest nats first.

    A number is bold where its paired difference to the next row is clear, that is, where the 95 % interval
    of the difference excludes 0.
    """
    from zoo.bench.formatted import format_tables, table_to_json
    from zoo.bench.printing import latex, markdown, pretty
    from zoo.bench.results import Results
    from zoo.bench.rows import tables
    from zoo.bench.study import read_study
    from zoo.cli.console import print_json, show
    from zoo.registry import open_registry

    forms = {"--md": as_md, "--latex": as_latex, "--json": as_json}
    asked = [form for form, is_asked in forms.items() if is_asked]
    if len(asked) > 1:
        hint = "give one of them"
        raise UsageError(Problem("a table is printed in one form at a time", " ".join(asked), hint))
    registry = open_registry()
    study = read_study(file, registry)
    stored = Results(results or file.parent / "results")
    found = tables(study, stored, registry, _named(study, only))
    if as_json:
        print_json([table_to_json(one) for one in found])
        return
    printed = [sheet for one in found for sheet in format_tables(one)]
    if not asked:
        for sheet in printed:
            show.print(pretty(sheet))
    else:
        write = markdown if as_md else latex
        click.echo("\n".join(write(sheet) for sheet in printed), ANSWER, nl=False)


def _named(study: Study, words: tuple[str, ...]) -> list[str]:
    """The music that is meant: NAME, or NAME=PATH as `zoo bench run` takes it."""
    hint = f"the study is of {', '.join(study.settings.data)}"
    found = {word: [n for n in study.settings.data if f"{word}=".startswith(f"{n}=")] for word in words}
    strange = [word for word, names in found.items() if not names]
    if strange:
        raise UsageError(*(Problem("names no music of the study", f"--data {w}", hint) for w in strange))
    return [max(names, key=len) for names in found.values()]


def _has_files(study: Study) -> bool:
    """Whether a part of the study is a file, which is read only when it is said to be trusted."""
    return any(part.entry.source.is_file for one in study.combinations for part in one.recipe.parts.values())


def _said(progress: Progress) -> dict[str, Any]:
    failed = {name: [asdict(problem) for problem in found] for name, found in progress.failed.items()}
    return {"cells": progress.needed, "done": progress.done, "ran": progress.ran, "failed": failed}


def _places(study: Study, given: tuple[str, ...]) -> dict[str, str]:
    """Where each music of the study lies: what was said, or else what it is called."""
    from zoo.registry.words import not_text

    places = {name: name for name in study.settings.data}
    problems = []
    for word in given:
        if strange := not_text(word, f"--data {word}"):
            problems += strange
            continue
        # A name may hold the sign itself, so it is the longest that leaves a path.
        named = (name for name in places if word.startswith(f"{name}=") and word != f"{name}=")
        name = max(named, key=len, default="")
        if name:
            places[name] = word[len(name) + 1 :]
        elif (name := word.removesuffix("=")) in places:
            hint = f"write --data {name}=PATH, or leave it out where the music is called so here too"
            problems.append(Problem("does not say where this music lies", f"--data {word}", hint))
        else:
            hint = f"the study is of {', '.join(places)}"
            problems.append(Problem("names no music of the study", f"--data {word}", hint))
    if problems:
        raise UsageError(*problems)
    return places


def _music(study: Study, places: dict[str, str]) -> dict[str, Music]:
    from zoo.bench.driver import Music
    from zoo.cli.music import MusicKeys, open_music
    from zoo.registry.parse import raise_all

    found: dict[str, Music] = {}
    faults: list[ZooError] = []
    for name, place in places.items():
        try:
            corpus = open_music(MusicKeys(data=place))
        except ZooError as fault:
            faults.append(fault if place != name else _unplaced(name, fault))
        else:
            found[name] = Music(place, corpus.digest, corpus.planes)
    raise_all(faults)
    return found


def _unplaced(name: str, fault: ZooError) -> ZooError:
    """The error of music that was looked for under its own name, with the way to say where it lies."""
    hint = f"say where it lies: --data {name}=PATH"
    return type(fault)(*(Problem(p.what, p.where, hint) for p in fault.problems))


def _runner(name: str, work: Path, jobs: int | None, address: str | None) -> Runner:
    if name == "ray":
        from zoo.bench.on_ray import RayRunner

        return RayRunner(work, jobs, address)
    from zoo.bench.local import LocalRunner

    return LocalRunner(work, jobs)
