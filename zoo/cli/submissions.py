"""Verify submissions to the leaderboard: check their plugins, open their music, and score them again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import DataError, PluginError, Problem, ZooError

if TYPE_CHECKING:
    from zoo.bench.submission import Submission
    from zoo.data import Corpus
    from zoo.measure.evaluation import Evaluation
    from zoo.model.bundle import Bundle


@dataclass(frozen=True)
class Verification:
    """The result of verifying a submission.

    Attributes:
        folder: its folder.
        submission: the submission; None if it was refused.
        evaluation: its new score; None if it was refused.
        refusal: why it was refused; None if it was accepted.
        notes: remarks on its score.
    """

    folder: Path
    submission: Submission | None = None
    evaluation: Evaluation | None = None
    refusal: ZooError | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenedMusic:
    """The music of bundles, each opened once for each grid.

    Attributes:
        places: name -> path; a path that a submission or a bundle names is not opened unless the user gives
            it, since it could be of any folder of this machine. Nor is anything downloaded for its sake.
    """

    places: Mapping[str, str]
    _opened: dict[tuple[str, int], Corpus] = field(default_factory=dict)

    def open(self, name: str, grid: int) -> Corpus:
        """The music with that name on a grid.

        Raises:
            DataError: it cannot be read, must be downloaded first, or is not a known corpus and has no path.
        """
        from zoo.cli.music import open_music
        from zoo.data.opening import to_download
        from zoo.train.keys import MusicKeys

        if name not in self.places:
            what = (
                "is not the name of a known corpus, and other music is opened only from a path that you give"
            )
            raise DataError(Problem(what, name, f"add --data {shlex.quote(f'{name}=PATH')}"))
        if size := to_download(self.places[name]):
            what = f"is not on this machine; it is a download of {size / 1e6:.0f} MB"
            copy = shlex.quote(f"{name}=PATH")
            hint = f"download it with `zoo data scan {shlex.quote(name)}`, or give a copy with --data {copy}"
            raise DataError(Problem(what, name, hint))
        if (name, grid) not in self._opened:
            self._opened[name, grid] = open_music(MusicKeys(data=self.places[name]), grid)
        return self._opened[name, grid]


def read_all(folders: Iterable[Path]) -> dict[Path, Submission | ZooError]:
    """Read submissions; folder -> the submission, or why it cannot be read."""
    from zoo.bench.submission import read_submission

    read: dict[Path, Submission | ZooError] = {}
    for folder in folders:
        try:
            read[folder] = read_submission(folder)
        except ZooError as error:
            read[folder] = error
    return read


def claimed_music(read: Mapping[Path, Submission | ZooError]) -> set[str]:
    """The names of the music of all submissions that could be read."""
    return {each.claim.data for each in read.values() if not isinstance(each, ZooError)}


def verdicts(read: Mapping[Path, Submission | ZooError], music: OpenedMusic) -> Iterator[Verification]:
    """Verify submissions one after another.

    Args:
        read: the result of `read_all`.
        music: their music.
    """
    for folder, each in read.items():
        yield Verification(folder, refusal=each) if isinstance(each, ZooError) else _verdict(each, music)


def _verdict(submission: Submission, music: OpenedMusic) -> Verification:
    from zoo.bench.submission import verify
    from zoo.cli.progress import waiting
    from zoo.train.record import reading_notes

    try:
        check_plugins(submission.bundle)
        corpus = music.open(submission.claim.data, submission.bundle.model.grid)
        with waiting(submission.name) as progress:
            evaluation = verify(submission, corpus, progress)
        notes = tuple(reading_notes(submission.name, submission.bundle, corpus))
    except ZooError as error:
        return Verification(submission.folder, refusal=error)
    print_notes(notes)
    return Verification(submission.folder, submission, evaluation, notes=notes)


def print_notes(notes: Iterable[str]) -> None:
    """Print remarks on a score."""
    from zoo.cli.console import stderr

    for note in notes:
        stderr.print_line(f"note: {note}")


def check_plugins(bundle: Bundle) -> None:
    """Run the contract checks of all third-party parts with the settings of the bundle.

    A part whose probabilities do not sum to 1, or that calls a bound exact, would otherwise get a better
    score than it deserves.

    Raises:
        PluginError: a part violates its contract; holds all violations.
    """
    from zoo.bench.submission import third_party
    from zoo.cli.progress import waiting
    from zoo.registry.quiet import quiet_stdout
    from zoo.testing import run

    problems = []
    for slot, choice in third_party(bundle).items():
        settings = choice.settings.model_dump(exclude_defaults=True)
        with waiting(f"checking {slot}={choice.entry.name}") as progress, quiet_stdout():
            report = run(choice.entry, settings, progress)
        for outcome in report.having("failed"):
            what = f"it violates the contract: {outcome.check.requirement} (observed: {outcome.reason})"
            problems.append(Problem(what, choice.entry.place, outcome.check.hint))
    if problems:
        raise PluginError(*problems)
