"""`zoo tune`: search over parts and settings, and keep the best model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.music import music_words, open_music
from zoo.cli.overwriting import check_own_folder
from zoo.cli.train_result import local_option
from zoo.cli.words import recipe_words, shell_path
from zoo.counts import count
from zoo.train.keys import TrainKeys
from zoo.train.settings import SECTIONS

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.search.api import Search
    from zoo.search.store import TrialResult
    from zoo.search.tune import SearchResult

SHOWN = 10
"""Number of trials in the table; --json has all of them."""


@click.command("tune")
@recipe_words(TrainKeys, SECTIONS)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="SEARCH",
    help="Folder of the search.",
)
@click.option("--trials", type=click.IntRange(min=1), help="Number of trials.  [default: 20]")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the choice of values.  [default: 0]")
@click.option("--resume", is_flag=True, help="Continue the search in this folder, if there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print all trials as JSON.")
def command(
    words: tuple[str, ...], output: Path, trials: int | None, seed: int | None, resume: bool, as_json: bool
) -> None:
    """Search over parts and settings: train trial after trial, and keep the best model.

    KEY=VALUE is as for zoo train. A range LOW..HIGH stands for the numbers between its bounds, LOW..HIGH:log
    for the same on a logarithmic scale, and a list A,B,C for one of its values, such as decoder=lstm,rbm
    train.lr=1e-4..1e-2:log train.minutes=1.

    The budget is that of each trial. Trials are ranked by their score on the validation pieces; one that is
    worse than half of the others at the same point of the budget is ended early (pruned). A search that was
    stopped or killed continues with --resume; with a larger --trials, a finished one is extended.
    """
    from zoo.cli.console import stderr, visible
    from zoo.registry import open_registry
    from zoo.search.api import open_search
    from zoo.search.plan import read_plan
    from zoo.search.watch import SearchWatch

    if read_plan(output) is None:
        check_own_folder(output, "search")
    search = open_search(words, output, trials, seed, resume, open_registry())
    try:
        with SearchWatch(stderr, search.plan.trials) as watcher:
            result = search.run(open_music, watcher)
            if not watcher.ended:
                stderr.print("The search was complete; raise --trials to search further.")
    except KeyboardInterrupt:
        stderr.print(visible(f"Stopped. Continue with: {search.again}"), soft_wrap=True)
        raise
    _print(search, result, as_json)


def _print(search: Search, result: SearchResult, as_json: bool) -> None:
    from zoo.cli.console import print_json, stderr, stdout, visible

    if as_json:
        print_json(_to_json(search, result))
        return
    stdout.print(_table(search, result))
    for line in _summary(search, result):
        stdout.print(visible(line), soft_wrap=True)
    stderr.print(
        "nats: per frame of the validation pieces; lower is better; ≤ a bound, ~ an estimate", soft_wrap=True
    )


def _table(search: Search, result: SearchResult) -> Table:
    """The best trials: the searched values of each, its score and its training time.

    Trials that repeat the values of an earlier one are left out.
    """
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("trial", justify="right")
    table.add_column("nats", justify="right", no_wrap=True)
    for key in search.space.searched:
        table.add_column(visible(key), overflow="fold")
    table.add_column("minutes", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    trained = [trial for trial in result.ranked() if not trial.repeats]
    for trial in trained[:SHOWN]:
        values = (visible(trial.chosen.get(key, "–")) for key in search.space.searched)
        minutes = f"{trial.seconds / 60:.1f}" if trial.seconds else "–"
        table.add_row(str(trial.number), _nats(trial), *values, minutes, trial.state)
    return table


def _nats(trial: TrialResult) -> str:
    """The score of a complete trial; that of a pruned one is not comparable."""
    from zoo.parts.kinds import marked

    return marked(trial.nats, trial.kind) if trial.state == "complete" and trial.nats is not None else "–"


def _summary(search: Search, result: SearchResult) -> Iterator[str]:
    states = [trial.state for trial in result.trials]
    yield (
        count(len(states), "trial")
        + ": "
        + ", ".join(
            f"{states.count(state)} {state}" for state in dict.fromkeys(t.state for t in result.ranked())
        )
    )
    if repeats := sum(trial.repeats > 0 for trial in result.trials):
        yield f"{count(repeats, 'trial')} repeated earlier values, without training"
    if result.importances:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in result.importances.items())
        yield f"importance: {shares}"
    best = result.best
    if best is not None:
        if result.bundle.exists():
            yield f"{result.bundle}: the model of trial {best.number}"
        yield f"Next:  {search.command(best.chosen)} -o best"
    if best is not None and result.bundle.exists():
        recipe = search.space.parse(best.chosen, search.registry).recipe
        local = local_option(recipe)
        bundle = shell_path(result.bundle)
        yield f"       zoo evaluate {bundle} {music_words(recipe.keys)}{local}"
        yield f"       zoo generate {bundle} --seed 1 -o music.mid{local}"


def _to_json(search: Search, result: SearchResult) -> dict[str, Any]:
    best = result.best
    return {
        "search": str(result.folder),
        "trials": [_trial_to_json(trial) for trial in result.trials],
        "importances": dict(result.importances),
        "best": best.number if best else None,
        "command": search.command(best.chosen) + " -o best" if best else None,
        "bundle": str(result.bundle) if best and result.bundle.exists() else None,
    }


def _trial_to_json(trial: TrialResult) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": trial.state,
        "nats": trial.nats,
        "kind": trial.kind,
        "values": dict(trial.chosen),
        "steps": trial.steps,
        "seconds": trial.seconds,
        "problem": trial.problem,
        "repeats": trial.repeats or None,
    }
