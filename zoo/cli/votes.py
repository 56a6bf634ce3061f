"""`zoo votes`: which models listeners prefer, from the votes that pages of `zoo report` saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.counts import count
from zoo.errors import DataError, Problem

if TYPE_CHECKING:
    from zoo.report.votes import Standing, Vote


@click.command("votes")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.json...")
@click.option("--all", "everything", is_flag=True, help="Also count ratings that were not blind.")
@click.option("--json", "as_json", is_flag=True, help="Print the models as JSON.")
def command(files: tuple[Path, ...], everything: bool, as_json: bool) -> None:
    """Rank models by the votes of listeners, one file per listener.

    A page of `zoo report` saves votes: listen blind, rate the pieces, save the votes. Of two pieces of a
    group the one with the higher rating is preferred. The strength of each model and its 95 % interval are
    estimated from all preferences. Human pieces are listed together as `human`. If a listener saved a page
    twice, the last blind rating of each piece counts.
    """
    from zoo.cli.console import stderr
    from zoo.report.votes import latest, read_all_votes, standings

    read, scores = read_all_votes(dict.fromkeys(files))
    wanted = [vote for vote in read if vote.blind or everything]
    counted, left_out = latest(wanted), len(read) - len(wanted)
    ranked = standings(counted, scores)
    if not ranked:
        what = "no two pieces of one group were rated" + (" blind" if left_out else "")
        hint = "tick `listen blind` before rating the pieces of a group"
        hint += f", or count the {count(left_out, 'other rating')} with --all" if left_out else ""
        raise DataError(Problem(what, ", ".join(map(str, files)), hint))
    if replaced := len(wanted) - len(counted):
        which = "of several ratings of a piece in one browser, the last blind one counts"
        stderr.print_line(f"note: {which}; {count(replaced, 'rating')} left out")
    _print(ranked, counted, left_out, as_json)


def _print(ranked: Sequence[Standing], counted: Sequence[Vote], left_out: int, as_json: bool) -> None:
    from dataclasses import asdict

    from zoo.cli.console import print_json, stdout

    listeners = len({vote.listener for vote in counted})
    if as_json:
        models: list[dict[str, Any]] = [asdict(standing) for standing in ranked]
        print_json({"ratings": len(counted), "left_out": left_out, "listeners": listeners, "models": models})
        return
    aside = f"; {left_out} that were not blind are left out" if left_out else ""
    stdout.print(f"{count(len(counted), 'rating')} of {count(listeners, 'listener')}{aside}")
    stdout.print(_table(ranked))
    stdout.print(
        "strength: log-odds of being preferred to an average model, with its 95 % interval", style="dim"
    )


def _table(ranked: Sequence[Standing]) -> Any:
    from rich import box
    from rich.table import Table

    from zoo.cli.console import visible
    from zoo.parts.kinds import marked

    scored = any(standing.score for standing in ranked)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("model", overflow="fold", ratio=1)
    for heading in ("preferred", "strength", "95 % interval", "pairs", *(["nats/frame ↓"] if scored else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    for standing in ranked:
        low, high = standing.interval
        score = standing.score
        nats = [marked(score["value"], score.get("kind")) if score else "–"] if scored else []
        cells = (
            f"{standing.preferred:.0%}",
            f"{standing.strength:+.2f}",
            f"{low:+.2f} … {high:+.2f}",
            str(standing.pairs),
        )
        table.add_row(visible(standing.name), *cells, *nats)
    return table
