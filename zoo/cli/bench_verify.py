"""`zoo bench verify`: score submissions to the leaderboard again, and accept or refuse them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.places import data_option, named_places

if TYPE_CHECKING:
    from zoo.cli.submissions import Verification


@click.command("verify")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@data_option("the submissions")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def verify(folders: tuple[Path, ...], places: tuple[str, ...], as_json: bool) -> None:
    """Score submissions to the leaderboard again.

    FOLDER is a submission, as `zoo bench submit` writes it, or a folder of submissions. Parts that are not
    shipped with the zoo must pass the contract checks; their code is run only with --local.

    A submission is accepted if the new score agrees with its claim. Otherwise the reasons are printed, and
    the exit code is 7 for a claim that does not hold, 5 for a bundle that cannot be read, or 4 for a plugin
    that violates its contract.
    """
    from zoo.bench.submission import submission_folders
    from zoo.cli.console import print_json, stderr, stdout, visible
    from zoo.cli.submissions import OpenedMusic, claimed_music, read_all, verdicts
    from zoo.registry.parse import raise_all

    named = list(dict.fromkeys(child for place in folders for child in submission_folders(place)))
    read, results = read_all(named), []
    music = OpenedMusic(named_places(sorted(claimed_music(read)), places, "the submissions"))
    for verdict in verdicts(read, music):
        results.append(verdict)
        if verdict.refusal is None and not as_json:
            stdout.print(visible(_line(verdict)), soft_wrap=True)
    if as_json:
        print_json([_to_json(verdict) for verdict in results])
    elif not results:
        stderr.print(visible(f"There are no submissions in {', '.join(map(str, folders))}."))
    raise_all([verdict.refusal for verdict in results if verdict.refusal])


def _line(verdict: Verification) -> str:
    """The row of an accepted submission."""
    assert verdict.submission is not None
    assert verdict.evaluation is not None
    figure, claim = verdict.evaluation.score(), verdict.submission.claim
    score = f"{figure} nats/frame ({figure.kind})"
    return f"{verdict.folder}: accepted, {score} on {figure.pieces:,} test pieces of {claim.data}"


def _to_json(verdict: Verification) -> dict[str, Any]:
    if verdict.submission is None or verdict.evaluation is None:
        problems = [problem.__dict__ for problem in verdict.refusal.problems] if verdict.refusal else []
        return {"folder": str(verdict.folder), "accepted": False, "problems": problems}
    figure, model = verdict.evaluation.score(), verdict.submission.bundle.model
    return {
        "folder": str(verdict.folder),
        "accepted": True,
        "data": verdict.submission.claim.data,
        "recipe": str(model.recipe),
        "nats": figure.value,
        "kind": figure.kind,
        "error": figure.error,
        "interval": figure.interval,
        "pieces": figure.pieces,
    }
