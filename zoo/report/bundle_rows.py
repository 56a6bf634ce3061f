"""Rows of a leaderboard for bundles: pretrained models and submissions, with a sample of their music."""

from __future__ import annotations

from zoo.bench.submission import Submission, third_party
from zoo.measure.evaluation import Evaluation
from zoo.model.build import parameter_count
from zoo.model.bundle import Bundle
from zoo.parts import SLOTS
from zoo.progress import Progress
from zoo.report.leaderboard import LeaderboardRow, music_name
from zoo.report.listening import generated_piece, silent_openings
from zoo.report.recipe import training_command, without_command

BARS = 8
"""Length of a sample."""


def submission_row(submission: Submission, evaluation: Evaluation, progress: Progress) -> LeaderboardRow:
    """The row of an accepted submission.

    Args:
        submission: the submission.
        evaluation: its new score.
        progress: called while its sample is generated, as in `zoo.model.generate.generate`.
    """
    bundle, claim = submission.bundle, submission.claim
    parts = ", ".join(f"{slot} of {choice.entry.source}" for slot, choice in third_party(bundle).items())
    outside = f"plugin: {parts}" if parts else "only parts of the zoo"
    origin = f"submission {submission.name}"
    return _row(origin, bundle, evaluation, claim.data, claim.digest, outside, progress)


def bundle_row(
    name: str, bundle: Bundle, evaluation: Evaluation, data: str, digest: str, progress: Progress
) -> LeaderboardRow:
    """The row of a bundle of one's own, such as a pretrained model.

    Args:
        name: the bundle, as named by the user.
        bundle: its content.
        evaluation: its score on the test pieces.
        data: name of the music.
        digest: digest of the music.
        progress: as in `submission_row`.
    """
    return _row(f"bundle {name}", bundle, evaluation, data, digest, "", progress)


def _row(
    origin: str,
    bundle: Bundle,
    evaluation: Evaluation,
    data: str,
    digest: str,
    outside: str,
    progress: Progress,
) -> LeaderboardRow:
    model, figure = bundle.model, evaluation.score()
    (opening,) = silent_openings(1, 0)
    return LeaderboardRow(
        music=music_name(data, model.grid),
        name="",
        value=figure.value,
        kind=figure.kind,
        interval=figure.interval,
        origin=origin,
        command=training_command(bundle) or without_command(bundle),
        parts={slot: choice.entry.name for slot, choice in model.recipe.parts.items()},
        recipe=str(model.recipe),
        weights=sum(parameter_count(model.get_submodule(slot)) for slot in SLOTS if slot != "velocity"),
        seeds=1,
        digest=digest,
        outside=outside,
        sample=generated_piece(origin, bundle, opening, BARS, progress),
    )
