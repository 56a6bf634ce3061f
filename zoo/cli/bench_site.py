"""`zoo bench site`: a leaderboard of stored results, as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.places import data_option
from zoo.cli.site_bundles import bundle_rows
from zoo.errors import Problem, UsageError

if TYPE_CHECKING:
    from zoo.bench.rows import StudyTable


@click.command("site")
@click.argument("studies", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="STUDY...")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Folder of the results; results/ beside each study."
)
@click.option(
    "--submissions",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder of submissions; each is scored again.",
)
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    metavar="BUNDLE",
    help="Pretrained model, run or bundle to add, scored on test pieces of its own music.",
)
@data_option("bundles and submissions")
@click.option(
    "-o", "output", type=click.Path(path_type=Path), required=True, help="Folder to write index.html to."
)
@click.option("--title", default="Leaderboard", show_default=True, help="Title of the page.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def site(
    studies: tuple[Path, ...],
    results: Path | None,
    submissions: Path | None,
    bundles: tuple[str, ...],
    places: tuple[str, ...],
    output: Path,
    title: str,
    as_json: bool,
) -> None:
    """Write a leaderboard of stored results: one HTML file that needs no server and no network.

    STUDY is the .toml file of a study, or a folder of studies. The table can be sorted, and filtered by music
    and slot; every row has its recipe, the command that trains it, its kind and its interval. An index.html
    that is there is replaced.

    Rows of bundles and submissions also have a sample to listen to. Rows of submissions are marked; no page
    is written if one of them is refused, see `zoo bench verify`.
    """
    from zoo.bench.notes import without_row
    from zoo.cli.console import print_json, stderr, stdout, visible
    from zoo.report.leaderboard import leaderboard_rows, write_leaderboard

    tables = list(_tables(studies, results))
    rows = leaderboard_rows(tables, bundle_rows(submissions, bundles, places))
    if not rows:
        hint = "run them with `zoo bench run`, or name the folder of their results with --results"
        raise UsageError(Problem("there are no results of these studies", ", ".join(map(str, studies)), hint))
    for table in tables:
        for note in without_row(table):
            stderr.print_line(f"note: {table.study.name} on {table.data}: {note}")
    path = write_leaderboard(rows, output, title)
    if as_json:
        print_json({"page": str(path), "rows": len(rows)})
        return
    stdout.print(visible(f"{path}: {len(rows)} rows of {len({row.music for row in rows})} kinds of music"))


def _tables(studies: tuple[Path, ...], results: Path | None) -> Iterator[StudyTable]:
    """The tables of all studies."""
    from zoo.bench.assembly import tables
    from zoo.bench.results import Results
    from zoo.bench.study import is_study, read_study
    from zoo.registry import open_registry

    registry = open_registry()
    for place in studies:
        files = sorted(filter(is_study, place.glob("*.toml"))) if place.is_dir() else [place]
        for file in files:
            study = read_study(file, registry)
            yield from tables(study, Results(results or file.parent / "results"), registry)
