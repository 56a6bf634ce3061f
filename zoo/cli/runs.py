"""`zoo runs`: the runs below a folder, and how two of them differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.runs_compare import compare
from zoo.errors import Problem, UsageError
from zoo.files import real_path

if TYPE_CHECKING:
    from zoo.train.summary import RunSummary


OF_TRAINING = (
    "codes and keys, per frame of the validation pieces (best so far, lower is better); "
    "`zoo evaluate` scores the test pieces and adds the residual"
)
"""What the nats of training runs are, and why the score of `zoo evaluate` differs."""


class _ListByDefault(click.Group):
    """A group in which `zoo runs FOLDER` is short for `zoo runs list FOLDER`."""

    def parse_args(self, context: click.Context, words: list[str]) -> list[str]:
        """Put `list` before words that neither name a command nor ask for help."""
        if not words or words[0] not in (*self.commands, *context.help_option_names):
            words = ["list", *words]
        return super().parse_args(context, words)


@click.group("runs", cls=_ListByDefault)
def command() -> None:
    """List the runs below a folder, or compare two of them.

    `zoo runs FOLDER` is short for `zoo runs list FOLDER`; `zoo runs` lists those below the current folder.
    """


@command.command("list")
@click.argument("folder", default=".", type=click.Path(path_type=Path), metavar="[FOLDER]")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def list_runs(folder: Path, as_json: bool) -> None:
    """List each run with its parts, music, training time, best score and state.

    A run is finished, interrupted (`zoo train -o RUN --resume` continues it), running, or damaged. A run
    that was stopped before its first checkpoint is without weights, as is a pruned trial of a search, whose
    checkpoints are removed.
    """
    from zoo.cli.console import print_json, stderr, stdout
    from zoo.cli.problems import print_problems
    from zoo.train.summary import find_runs, summarize

    if not folder.is_dir():
        hint = "name a folder that holds runs of `zoo train`, or a run itself"
        raise UsageError(Problem("there is no such folder", str(folder), hint))
    runs = [summarize(place) for place in find_runs(folder)]
    if as_json:
        print_json([run.to_json() for run in runs])
    elif not runs:
        stderr.print("There are no runs here; `zoo train ... -o RUN` starts one.")
    else:
        stdout.print(_table(runs, folder))
        stderr.print_line(f"nats: {OF_TRAINING}; ≤ a bound, ~ an estimate, ? of a kind that was not recorded")
    print_problems([problem for run in runs for problem in run.problems], "damaged: ")


def _table(runs: Sequence[RunSummary], folder: Path) -> Any:
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible
    from zoo.parts.kinds import marked

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "recipe", "music"):
        table.add_column(heading, overflow="fold")
    for heading in ("minutes", "nats"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for run in runs:
        inside = run.folder.relative_to(folder)
        name = real_path(folder).name if inside == Path() else str(inside)
        words = (name, " ".join(run.parts.values()), run.music)
        minutes = f"{run.seconds / 60:.1f}" if run.plan else "–"
        nats = "–" if run.nats is None else marked(run.nats, run.kind)
        table.add_row(*map(visible, words), minutes, nats, run.state)
    return table


command.add_command(compare)
