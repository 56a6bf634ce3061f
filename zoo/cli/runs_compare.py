"""`zoo runs compare`: the learning curves of two runs, and what differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import BundleError, Problem, UsageError
from zoo.files import real_path

if TYPE_CHECKING:
    from zoo.report.learning import Training
    from zoo.train.summary import RunSummary

RUN = click.Path(path_type=Path)


@click.command("compare")
@click.argument("first", type=RUN, metavar="RUN")
@click.argument("second", type=RUN, metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print curves and differences as JSON.")
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Draw the learning curves of two runs, and list what differs: recipe, settings, data, versions.

    Curves share a chart only if their nats are comparable: same music, grid and encoder.
    """
    from zoo.cli.console import print_json, stdout, visible
    from zoo.report.learning import Training
    from zoo.train.summary import summarize

    if real_path(first) == real_path(second):
        raise UsageError(Problem("both are the same run", str(first), "name two runs"))
    for folder in (first, second):
        _check(folder)
    names = _names(first, second)
    runs = {name: summarize(folder) for name, folder in zip(names, (first, second), strict=True)}
    trainings = [Training.read(run.folder, name) for name, run in runs.items()]
    rows = list(differences(*runs.values()))
    if as_json:
        print_json(_to_json(runs, trainings, rows))
        return
    for line in _charts(trainings):
        stdout.print(visible(line), soft_wrap=True)
    stdout.print(_results(runs))
    are_known = all(run.versions for run in runs.values())
    if not are_known:
        stdout.print("versions of packages are unknown without the bundles of both runs")
    same = "recipe, settings, data and versions" if are_known else "recipe, settings and data"
    stdout.print(_differences(rows, names) if rows else f"{same} are the same")


def _check(folder: Path) -> None:
    from zoo.train.plan import read_plan

    if read_plan(folder) is None:
        hint = "`zoo runs FOLDER` lists the runs below a folder"
        raise BundleError(Problem("there is no run in this folder", str(folder), hint))


def _names(first: Path, second: Path) -> tuple[str, str]:
    """The names of the runs: those of their folders, or their paths if these are equal."""
    names = real_path(first).name, real_path(second).name
    return names if names[0] != names[1] else (str(first), str(second))


def differences(first: RunSummary, second: RunSummary) -> Iterator[tuple[str, str, Any, Any]]:
    """What differs between two runs: (recipe, settings, data or versions; key; first; second).

    Where a slot holds another part, its settings and version are not listed as well.
    """
    first_values, second_values = dict(_flat(first)), dict(_flat(second))
    other_parts = {
        key
        for group, key in first_values
        if group == "recipe" and first_values[group, key] != second_values.get((group, key))
    }
    if first.versions and second.versions:  # only bundles record them
        first_values |= {("versions", name): version for name, version in first.versions.items()}
        second_values |= {("versions", name): version for name, version in second.versions.items()}
    for group, key in dict.fromkeys((*first_values, *second_values)):
        values = first_values.get((group, key)), second_values.get((group, key))
        if values[0] != values[1] and not (group != "recipe" and key.partition(".")[0] in other_parts):
            yield group, key, *values


def _flat(run: RunSummary) -> Iterator[tuple[tuple[str, str], Any]]:
    plan = run.plan
    for slot, part in plan["parts"].items():
        yield ("recipe", slot), part["name"]
    for slot, origin in plan.get("origins", {}).items():
        yield ("recipe", f"weights of the {slot}"), f"{origin['source']} ({origin['weights'][:12]})"
    for slot, part in plan["parts"].items():
        yield from ((("settings", f"{slot}.{name}"), value) for name, value in part["settings"].items())
    yield from ((("settings", f"train.{name}"), value) for name, value in plan["train"].items())
    yield ("settings", "seed"), plan["seed"]
    yield ("data", "music"), run.music
    yield ("data", "digest"), plan["data"]["digest"][:12]
    yield ("data", "grid"), plan["data"].get("grid")
    for slot, part in plan["parts"].items():
        yield ("versions", f"{slot}.version"), part["version"]
        yield ("versions", f"{slot}.state_version"), part["state_version"]


def _charts(trainings: list[Training]) -> Iterator[str]:
    """The lines of all charts: one for each term, or one for each run if they are not comparable."""
    from zoo.cli.curves import chart
    from zoo.parts.terms import TERMS
    from zoo.report.learning import TITLES

    for term in TERMS:
        curves = {training.name: training.curves[term] for training in trainings if training.curves.get(term)}
        title = f"{TITLES[term]}; nats per frame of the validation pieces"
        if len({training.comparison_key(term) for training in trainings if term in training.curves}) > 1:
            yield f"{TITLES[term]}: the nats of these runs are not comparable (other music, grid or encoder)"
            for name, curve in curves.items():
                yield from chart(title, {name: curve})
        elif curves:
            yield from chart(title, curves)
        if curves:
            yield ""


def _results(runs: Mapping[str, RunSummary]) -> Any:
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible
    from zoo.parts.kinds import marked

    terms = dict.fromkeys(term for run in runs.values() for term in run.best)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("run", overflow="fold")
    for heading in (*(f"best {term}" for term in terms), "steps", "minutes"):
        table.add_column(visible(heading), justify="right")
    table.add_column("state")
    for name, run in runs.items():
        best = (marked(run.best[term], run.kinds.get(term)) if term in run.best else "–" for term in terms)
        table.add_row(visible(name), *best, f"{run.step:,}", f"{run.seconds / 60:.1f}", run.state)
    return table


def _differences(rows: list[tuple[str, str, Any, Any]], names: tuple[str, str]) -> Any:
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "", *names):
        table.add_column(visible(heading), overflow="fold")
    last = ""
    for group, key, *values in rows:
        table.add_row(
            "" if group == last else group, visible(key), *(visible(_as_text(value)) for value in values)
        )
        last = group
    return table


def _as_text(value: Any) -> str:
    from zoo.registry.values import write_value

    return "–" if value is None else value if isinstance(value, str) else write_value(value)


def _to_json(
    runs: Mapping[str, RunSummary], trainings: list[Training], rows: list[tuple[str, str, Any, Any]]
) -> dict[str, Any]:
    terms = dict.fromkeys(term for training in trainings for term in training.curves)
    return {
        "runs": [run.to_json() for run in runs.values()],
        "curves": [{term: list(curve) for term, curve in training.curves.items()} for training in trainings],
        "comparable": {
            term: len({training.comparison_key(term) for training in trainings}) == 1 for term in terms
        },
        "differences": [dict(zip(("group", "key", "first", "second"), row, strict=True)) for row in rows],
    }
