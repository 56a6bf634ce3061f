"""`zoo bench`: studies, which compare many combinations under one budget."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from zoo.cli.bench_list import list_studies
from zoo.cli.bench_site import site
from zoo.cli.bench_submit import submit
from zoo.cli.bench_verify import verify
from zoo.cli.places import data_option, named_places
from zoo.cli.tables import print_tables, table_format, table_options
from zoo.errors import Problem, UsageError, ZooError

if TYPE_CHECKING:
    from zoo.bench.driver import Runner, StudyProgress
    from zoo.bench.needs import LocalDataset
    from zoo.bench.results import Results
    from zoo.bench.study import Study

FILE = click.argument("file", type=click.Path(path_type=Path), metavar="FILE.toml")
RESULTS = click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Folder of the results; results/ beside the study by default.",
)
ELSEWHERE = "name the folder that it points to with --results"


@click.group("bench")
def command() -> None:
    """Compare combinations: train what a study needs, and print its table."""


command.add_command(list_studies)
command.add_command(site)
command.add_command(submit)
command.add_command(verify)


@command.command("run")
@FILE
@RESULTS
@data_option("the study")
@click.option(
    "--runner",
    type=click.Choice(["local", "ray", "slurm"]),
    default="local",
    help="Where to run: on this machine, on Ray, or as jobs of a SLURM cluster.",
)
@click.option("--address", help="Ray cluster to connect to; one on this machine by default.")
@click.option(
    "--slurm",
    multiple=True,
    metavar="NAME=VALUE",
    help="Parameter of the SLURM jobs, such as partition=long or timeout_min=60; may be repeated.",
)
@click.option(
    "--jobs", type=click.IntRange(1), help="Number of cells to run in parallel; one per core by default."
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder of the trainings; runs/ beside the study by default.",
)
@click.option(
    "--replace", is_flag=True, help="Replace results of other music, or of an earlier version of the reader."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Train nothing; show how many cells are missing, how long they take, and which stored results "
    "cannot be used, and why.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")
def run(
    file: Path,
    results: Path | None,
    places: tuple[str, ...],
    runner: Literal["local", "ray", "slurm"],
    address: str | None,
    slurm: tuple[str, ...],
    jobs: int | None,
    work: Path | None,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train and score the combinations of a study that have no results yet.

    Each distinct core, decoder and velocity is trained once per seed, and the rows are assembled from them.
    Every result is saved at once; to continue a run that was stopped or killed, repeat the command. If there
    are results of other music under the same name, or of an earlier version of the reader, the command stops
    before any work: choose another folder with --results, or compute them again with --replace.

    With --runner ray and --address, cells run on the machines of a Ray cluster. They need no shared disk,
    only an installed zoo and the music under the same name or path. Results are sent back to this machine,
    trainings stay where they ran. With --runner slurm, each cell is a job of a SLURM cluster, and the --work
    folder must be on a disk that its machines share.
    """
    from zoo.bench.driver import Driver
    from zoo.bench.local import default_jobs
    from zoo.bench.results import Results, prepare
    from zoo.bench.study import read_study
    from zoo.cli.bench_watch import StudyWatch
    from zoo.cli.console import print_json, stderr, visible
    from zoo.registry import open_registry
    from zoo.train.lock import lock_folder, refuse_link

    if address and runner != "ray":
        raise UsageError(Problem("only the Ray runner has an address", "--address", "add --runner ray"))
    parameters = _parameters(slurm, runner)
    registry = open_registry()
    study = read_study(file, registry)
    music = _music(study, named_places(study.settings.data, places, "the study"))
    stored, trainings = Results(results or file.parent / "results"), work or file.parent / "runs"
    if dry_run:
        known_jobs = jobs or default_jobs() if runner == "local" else jobs
        _forecast(study, stored, music, known_jobs, as_json)
        return
    if results is None:
        refuse_link(stored.folder, ELSEWHERE)
    if work is None:
        refuse_link(trainings, "name the folder that it points to with --work")
    prepare(stored.folder, "--results", study.settings.data)
    prepare(trainings, "--work")
    with lock_folder(trainings / f"{study.name}.driver", "runs this study"):
        worker = _runner(runner, trainings, jobs, address, parameters)
        with StudyWatch(stderr) as watch:
            progress = Driver(study, stored, worker, music, registry, watch, replace_outdated=replace).run()
    if as_json:
        print_json(_summary(progress))
    if progress.failed:
        raise ZooError(*(problem for problems in progress.failed.values() for problem in problems))
    stderr.print(visible(f"{progress.done} cells done, {progress.ran} of them in this run."))
    options = ["--results", str(results)] if results else []
    options += ["--local"] if _has_files(study) else []
    stderr.print(visible(f"Next:  zoo bench table {shlex.join([str(file), *options])}"))


@command.command("pack")
@FILE
@RESULTS
@click.option("--json", "as_json", is_flag=True, help="Print the number of packed results as JSON.")
def pack(file: Path, results: Path | None, as_json: bool) -> None:
    """Pack the results of a study into one sorted file per dataset, ready to be committed.

    While a study runs, each result is a file of its own. Packing moves these files, and those of other
    studies on the same dataset, into DATA.jsonl; `zoo bench run` and `zoo bench table` read both.
    """
    from zoo.bench.results import Results
    from zoo.bench.study import read_study
    from zoo.cli.console import print_json, stdout, visible
    from zoo.registry import open_registry
    from zoo.train.lock import refuse_link

    study = read_study(file, open_registry())
    stored = Results(results or file.parent / "results")
    if results is None:
        refuse_link(stored.folder, ELSEWHERE)
    counts = {data: stored.pack(data) for data in study.settings.data if stored.has(data)}
    if as_json:
        print_json({str(stored.pack_of(data)): count for data, count in counts.items()})
        return
    for data, count in counts.items():
        stdout.print(visible(f"{stored.pack_of(data)}: {count} result{'' if count == 1 else 's'}"))
    if not counts:
        stdout.print(visible(f"{stored.folder} has no results of this study"))


@command.command("table")
@FILE
@RESULTS
@click.option("--data", "only", multiple=True, metavar="NAME", help="Print the table of this dataset only.")
@table_options
def table(
    file: Path, results: Path | None, only: tuple[str, ...], as_md: bool, as_latex: bool, as_json: bool
) -> None:
    """Print the tables of a study from its stored results: one per dataset, lowest nats first.

    A number is bold if its paired difference to the next row is clear, that is, if the 95 % interval of the
    difference excludes 0.
    """
    from zoo.bench.assembly import tables
    from zoo.bench.formatted import format_tables, table_to_json
    from zoo.bench.results import Results
    from zoo.bench.study import read_study
    from zoo.cli.console import print_json
    from zoo.registry import open_registry

    form = table_format(as_md, as_latex, as_json)
    registry = open_registry()
    study = read_study(file, registry)
    stored = Results(results or file.parent / "results")
    results_tables = tables(study, stored, registry, _named(study, only))
    if form == "json":
        print_json([table_to_json(result) for result in results_tables])
        return
    print_tables([formatted for table in results_tables for formatted in format_tables(table)], form)


def _forecast(
    study: Study, results: Results, datasets: dict[str, LocalDataset], jobs: int | None, as_json: bool
) -> None:
    from zoo.bench.forecast import forecasts
    from zoo.cli.bench_forecast import forecast_to_json, print_forecasts
    from zoo.cli.console import print_json
    from zoo.registry import open_registry

    made = forecasts(study, results, datasets, open_registry())
    print_json([forecast_to_json(forecast) for forecast in made]) if as_json else print_forecasts(made, jobs)


def _named(study: Study, words: tuple[str, ...]) -> list[str]:
    """The datasets to print: NAME, or NAME=PATH as `zoo bench run` takes it."""
    hint = f"the study uses {', '.join(study.settings.data)}"
    matches = {word: [n for n in study.settings.data if f"{word}=".startswith(f"{n}=")] for word in words}
    unknown = [word for word, names in matches.items() if not names]
    if unknown:
        raise UsageError(*(Problem("is not music of the study", f"--data {word}", hint) for word in unknown))
    return [max(names, key=len) for names in matches.values()]


def _has_files(study: Study) -> bool:
    """Whether a part of the study is a local file, which is read only with --local."""
    recipes = (combination.recipe for combination in study.combinations)
    return any(part.entry.source.is_file for recipe in recipes for part in recipe.parts.values())


def _summary(progress: StudyProgress) -> dict[str, Any]:
    failed = {name: [asdict(problem) for problem in problems] for name, problems in progress.failed.items()}
    return {"cells": progress.needed, "done": progress.done, "ran": progress.ran, "failed": failed}


def _music(study: Study, places: dict[str, str]) -> dict[str, LocalDataset]:
    from zoo.bench.needs import LocalDataset
    from zoo.cli.music import open_music
    from zoo.registry.parse import raise_all
    from zoo.train.keys import MusicKeys

    music: dict[str, LocalDataset] = {}
    errors: list[ZooError] = []
    for name, place in places.items():
        try:
            corpus = open_music(MusicKeys(data=place))
        except ZooError as error:
            errors.append(error if place != name else _without_path(name, error))
        else:
            validation = len(corpus.split("valid").pieces)
            music[name] = LocalDataset(place, corpus.digest, corpus.planes, validation)
    raise_all(errors)
    return music


def _without_path(name: str, error: ZooError) -> ZooError:
    """The error of music that was opened by its name, with a hint to give its path."""
    hint = f"give its path: --data {shlex.quote(f'{name}=PATH')}"
    return type(error)(*(Problem(p.what, p.where, hint) for p in error.problems))


def _parameters(words: tuple[str, ...], runner: str) -> dict[str, str]:
    """The parameters of `--slurm NAME=VALUE`.

    Raises:
        UsageError: a word has no value, or another runner was chosen.
    """
    if words and runner != "slurm":
        raise UsageError(Problem("only the SLURM runner has parameters", "--slurm", "add --runner slurm"))
    invalid = [word for word in words if not all(word.partition("=")[::2])]
    if invalid:
        hint = "write NAME=VALUE, such as partition=long"
        raise UsageError(*(Problem("is not a parameter", f"--slurm {word}", hint) for word in invalid))
    return dict(word.split("=", 1) for word in words)


def _runner(
    name: str, work: Path, jobs: int | None, address: str | None, parameters: dict[str, str]
) -> Runner:
    if name == "ray":
        from zoo.bench.on_ray import RayRunner
        from zoo.cli.console import stderr, visible

        if address:
            what = "every user of this cluster can run code on its machines, this one included"
            stderr.print(visible(f"note: {address}: {what}"))
        return RayRunner(work, jobs, address)
    if name == "slurm":
        from zoo.bench.on_slurm import SlurmRunner

        return SlurmRunner(work, jobs, parameters)
    from zoo.bench.local import LocalRunner

    return LocalRunner(work, jobs)
