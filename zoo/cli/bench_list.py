"""`zoo bench list`: the studies in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import Problem, UsageError, ZooError

if TYPE_CHECKING:
    from zoo.bench.results import Results
    from zoo.bench.study import Study
    from zoo.registry import Registry


@click.command("list")
@click.argument("folder", default=".", type=click.Path(path_type=Path), metavar="[FOLDER]")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Folder of the results; FOLDER/results by default."
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def list_studies(folder: Path, results: Path | None, as_json: bool) -> None:
    """List the studies in a folder with their datasets, and how many of their cells are stored.

    No music is opened: `zoo bench run --dry-run` also checks that results are of the music on this machine,
    and knows before any result which parts learn nothing and take a single cell.
    """
    from zoo.bench.results import Results
    from zoo.cli.console import print_json, stderr, stdout
    from zoo.cli.problems import print_problems
    from zoo.registry import open_registry

    if not folder.is_dir():
        raise UsageError(Problem("there is no such folder", str(folder), "name a folder of studies"))
    registry, stored = open_registry(), Results(results or folder / "results")
    problems: list[Problem] = []
    studies = [_to_json(study, stored, registry) for study in _studies(folder, registry, problems)]
    if as_json:
        print_json(studies)
    elif studies:
        stdout.print(_table(studies))
    else:
        stderr.print("There are no studies here; a study is a .toml file with [[grid]] in it.")
    print_problems(problems, "left out: ")


def _studies(folder: Path, registry: Registry, problems: list[Problem]) -> Iterator[Study]:
    """The studies among the TOML files of a folder; those with mistakes are reported."""
    from zoo.bench.study import is_study, read_study

    for path in sorted(folder.glob("*.toml")):
        if is_study(path):
            try:
                yield read_study(path, registry)
            except ZooError as error:
                problems += error.problems


def _to_json(study: Study, results: Results, registry: Registry) -> dict[str, Any]:
    return {
        "study": study.name,
        "file": str(study.path),
        "title": study.settings.title,
        "rows": len(study.combinations),
        "seeds": study.settings.seeds,
        "data": {data: _counts(study, data, results, registry) for data in study.settings.data},
    }


def _counts(study: Study, data: str, results: Results, registry: Registry) -> dict[str, int]:
    """Numbers of cells of a study on a dataset: needed, with results, of an earlier reading."""
    from zoo.bench.assembly import is_silent
    from zoo.bench.components import components, floor_cells
    from zoo.bench.reading import MusicReading

    known: list[Any] = [cell for cell in floor_cells(study) if cell.data == data]
    later, without_velocity = 0, is_silent(study, data, results)
    for component in components(study, registry):
        if component.data == data and not (component.term == "velocity" and without_velocity):
            selection, trials = component.selection(study, results), component.trials(study)
            first = results.read(trials[0])
            learns = first is None or first["learns"]
            cells = (*(trials if learns else ()), *(selection.cells if selection else ()))
            known += {cell.name: cell for cell in cells}.values()
            later += 0 if selection else study.settings.seeds - len(trials) // len(study.rates)
    stored = [result for cell in known if (result := results.read(cell)) is not None]
    earlier = sum(MusicReading.of(result).is_earlier for result in stored)
    return {"cells": len(known) + later, "stored": len(stored) - earlier, "earlier": earlier}


def _table(studies: list[dict[str, Any]]) -> Any:
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("study", "title", "music"):
        table.add_column(heading, overflow="fold")
    for heading in ("rows", "cells", "stored", "of an earlier reading"):
        table.add_column(heading, justify="right")
    for study in studies:
        for number, (name, counts) in enumerate(study["data"].items()):
            head = ("", "", name) if number else (study["study"], study["title"], name)
            rows = "" if number else str(study["rows"])
            table.add_row(
                *map(visible, head), rows, *(str(counts[key]) for key in ("cells", "stored", "earlier"))
            )
    return table
