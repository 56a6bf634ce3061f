"""The rows of `zoo bench site` that are scored for the page: bundles and submissions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.places import named_places
from zoo.errors import Problem, UsageError, ZooError

if TYPE_CHECKING:
    from zoo.bench.submission import Submission
    from zoo.cli.submissions import OpenedMusic
    from zoo.model.bundle import Bundle
    from zoo.report.leaderboard import LeaderboardRow


def bundle_rows(
    submissions: Path | None, bundles: Sequence[str], places: Sequence[str]
) -> list[LeaderboardRow]:
    """Score all bundles and submissions, and generate their samples.

    Args:
        submissions: the folder of the submissions; None for none.
        bundles: bundles as named by the user.
        places: the values of `--data`.

    Raises:
        ZooError: a submission is refused, or a bundle cannot be scored.
    """
    if not submissions and not bundles:
        return []
    from zoo.bench.submission import submission_folders
    from zoo.cli.opened import open_named
    from zoo.cli.submissions import OpenedMusic, claimed_music, read_all

    opened = {name: open_named(name) for name in dict.fromkeys(bundles)}
    data = {name: _music_of(name, bundle) for name, bundle in opened.items()}
    read = read_all(submission_folders(submissions) if submissions else [])
    names = sorted({*data.values(), *claimed_music(read)})
    music = OpenedMusic(named_places(names, places, "the bundles and submissions", from_others=True))
    accepted = list(_accepted(read, music))  # before the bundles, so that a refusal costs no more time
    return [*(_bundle(name, opened[name], data[name], music) for name in opened), *accepted]


def _music_of(name: str, bundle: Bundle) -> str:
    """The name of the music that a bundle was trained on.

    Raises:
        UsageError: it does not record any.
    """
    data = bundle.record.get("data", {}).get("name")
    if not isinstance(data, str):
        raise UsageError(Problem("it does not record the music it was trained on", f"--bundle {name}"))
    return data


def _accepted(read: Mapping[Path, Submission | ZooError], music: OpenedMusic) -> Iterator[LeaderboardRow]:
    """The rows of all submissions.

    Raises:
        ZooError: a submission is refused; holds the reasons of all that are.
    """
    from zoo.cli.progress import waiting
    from zoo.cli.submissions import verdicts
    from zoo.registry.parse import raise_all
    from zoo.report.bundle_rows import submission_row

    results = list(verdicts(read, music))
    raise_all([verdict.refusal for verdict in results if verdict.refusal])
    for verdict in results:
        assert verdict.submission is not None
        assert verdict.evaluation is not None
        with waiting(f"{verdict.submission.name} writes") as progress:
            row = submission_row(verdict.submission, verdict.evaluation, progress)
        yield replace(row, notes=verdict.notes)


def _bundle(name: str, bundle: Bundle, data: str, music: OpenedMusic) -> LeaderboardRow:
    from zoo.bench.submission import score_held_out
    from zoo.cli.progress import waiting
    from zoo.cli.submissions import print_notes
    from zoo.report.bundle_rows import bundle_row
    from zoo.train.record import reading_notes

    corpus = music.open(data, bundle.model.grid)
    with waiting(name) as progress:
        evaluation = score_held_out(bundle, corpus, 0, name, progress)
    with waiting(f"{name} writes") as progress:
        row = bundle_row(name, bundle, evaluation, data, corpus.digest, progress)
    notes = tuple(reading_notes(name, bundle, corpus))
    print_notes(notes)
    return replace(row, notes=notes)
