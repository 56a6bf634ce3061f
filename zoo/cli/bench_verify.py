"""`zoo bench verify`: score submissions to the leaderboard again, and accept or refuse them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.places import data_option, named_places
from zoo.counts import count

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
    that violates its contract. A folder without any submission is an error with exit code 2.
    """
    from zoo.cli.console import print_json, stdout, visible
    from zoo.cli.submissions import OpenedMusic, claimed_music, read_all, verdicts
    from zoo.registry.parse import raise_all

    read, results = read_all(_submissions(folders)), []
    music = OpenedMusic(
        named_places(sorted(claimed_music(read)), places, "the submissions", from_others=True)
    )
    for verdict in verdicts(read, music):
        results.append(verdict)
        if verdict.refusal is None and not as_json:
            stdout.print(visible(_line(verdict)), soft_wrap=True)
    if as_json:
        print_json([_to_json(verdict) for verdict in results])
    raise_all([verdict.refusal for verdict in results if verdict.refusal])


def _submissions(folders: Sequence[Path]) -> list[Path]:
    """The submissions in these folders.

    Raises:
        UsageError: a folder does not exist, or contains no submission.
    """
    from zoo.bench.submission import submission_folders
    from zoo.errors import Problem, UsageError

    found = {folder: submission_folders(folder) for folder in folders}
    hint = "name a folder that `zoo bench submit` wrote, or one that contains such folders"
    empty = [Problem("contains no submission", str(folder), hint) for folder in folders if not found[folder]]
    if empty:
        raise UsageError(*empty)
    return list(dict.fromkeys(each for folder in folders for each in found[folder]))


def _line(verdict: Verification) -> str:
    """The row of an accepted submission."""
    assert verdict.submission is not None
    assert verdict.evaluation is not None
    figure, claim = verdict.evaluation.score(), verdict.submission.claim
    score = f"{figure} nats/frame ({figure.kind})"
    return f"{verdict.folder}: accepted, {score} on {count(figure.pieces, 'test piece')} of {claim.data}"


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
        "notes": list(verdict.notes),
    }
