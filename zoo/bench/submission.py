"""Submissions to the leaderboard: folders with a bundle and the score that its author claims.

    NAME/bundle/        the bundle
    NAME/claim.json     the claimed score, see `Claim`
    NAME/*.py           the code of its parts that are files

A submission is accepted if its bundle, scored again, has the claimed score.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.bench.claim import FILE, SPLIT, Claim
from zoo.bench.prefixes import terms_that_hear_ahead
from zoo.data import Corpus
from zoo.errors import ClaimError, Problem, UsageError
from zoo.files import new_folder, real_path, writing
from zoo.measure.evaluation import Evaluation
from zoo.measure.evaluator import check_music, evaluate
from zoo.model.bundle import Bundle, open_bundle
from zoo.model.half import widened
from zoo.model.pretrained import bundle_folder
from zoo.model.sealed import WEIGHTS, canonical, files_to_share, read_bundle
from zoo.model.weights import digest, read_weights
from zoo.parts import Slot
from zoo.progress import Progress
from zoo.registry.compatibility import Choice
from zoo.registry.sources import SHIPPED
from zoo.train.record import chosen_on, trained_on

BUNDLE = "bundle"
"""The folder of the bundle in a submission."""


@dataclass(frozen=True)
class Submission:
    """A submission that was read and not yet scored again.

    Attributes:
        folder: its folder.
        claim: the claimed score.
        bundle: the model and its record.
    """

    folder: Path
    claim: Claim
    bundle: Bundle

    @property
    def name(self) -> str:
        """The name of the folder."""
        return real_path(self.folder).name


def submission_folders(place: Path) -> list[Path]:
    """The submissions that a path names: the folder itself, or else all folders in it.

    Raises:
        UsageError: there is no such folder.
    """
    if not place.is_dir():
        raise UsageError(Problem("there is no such folder", str(place), "check the path"))
    if (place / FILE).exists() or (place / BUNDLE).exists():
        return [place]
    return sorted(child for child in place.iterdir() if child.is_dir())


def read_submission(folder: Path) -> Submission:
    """Read a submission. Code that comes with it is run only with `--local`.

    Raises:
        ClaimError: the claim is missing or invalid.
        BundleError: the bundle is missing or damaged, or needs parts that are not available.
    """
    return Submission(folder, Claim.read(folder / FILE), open_bundle(folder / BUNDLE))


def third_party(bundle: Bundle) -> dict[Slot, Choice]:
    """Slot -> part and settings, of all parts that are not shipped with the zoo."""
    parts = bundle.model.recipe.parts.items()
    return {slot: choice for slot, choice in parts if choice.entry.distribution != SHIPPED}


def score_held_out(
    bundle: Bundle, corpus: Corpus, seed: int, where: str, progress: Progress | None = None
) -> Evaluation:
    """Score a bundle on the test pieces of a corpus, none of which may have taken part in its training.

    Raises:
        ClaimError: it was, or may have been, trained on some of them, some are validation pieces of its
            training, or it scores frames by what follows them.
        DataError: as `zoo.measure.evaluator.evaluate`.
    """
    pieces = corpus.split(SPLIT)
    check_music(bundle.model, pieces)
    seen = trained_on([bundle], corpus, pieces)
    if seen is None:
        what = "its bundle does not list the pieces it was trained on, so they may include test pieces"
        raise ClaimError(Problem(what, where, "train it with this version of polyzoo"))
    if seen:
        what = f"it was trained on {seen:,} of the {len(pieces.pieces):,} test pieces"
        raise ClaimError(Problem(what, where, "train it on the training pieces of this music"))
    if chosen := chosen_on([bundle], corpus, pieces):
        are = "is a validation piece" if chosen == 1 else "are validation pieces"
        what = f"{chosen:,} of the {len(pieces.pieces):,} test pieces {are} of its training"
        raise ClaimError(Problem(what, where, "validate it on the validation pieces of this music"))
    ahead = [*terms_that_hear_ahead(bundle.model, pieces)] if third_party(bundle) else []
    if ahead:
        hint = "a part must not use later frames, in pieces of any length"
        what = "the {} of the first half of {} depend on the second half"
        raise ClaimError(*(Problem(what.format(term, title), where, hint) for title, term in ahead))
    return evaluate(bundle.model, pieces, seed=seed, progress=progress)


def verify(submission: Submission, corpus: Corpus, progress: Progress | None = None) -> Evaluation:
    """Score a submission again.

    Args:
        submission: the submission.
        corpus: the music that the claim names, as it is read here.
        progress: as in `zoo.measure.evaluator.evaluate`.

    Raises:
        ClaimError: the music is not that of the claim, the model was trained on test pieces, or the new score
            contradicts the claim; holds all contradictions.
        DataError: as `zoo.measure.evaluator.evaluate`.
    """
    claim, where = submission.claim, str(submission.folder)
    if claim.digest != corpus.digest:
        claimed, actual = claim.digest[:12], corpus.digest[:12]
        what = f"it claims a score on music {claimed}, but {claim.data} is music {actual} here"
        hint = "the pieces differ, or another version of polyzoo reads them; submit it again"
        raise ClaimError(Problem(what, where, hint))
    evaluation = score_held_out(submission.bundle, corpus, claim.seed, where, progress)
    hint = f"write {FILE} with `zoo bench submit`, and do not edit it"
    problems = [Problem(what, where, hint) for what in claim.contradictions(evaluation.score())]
    if problems:
        raise ClaimError(*problems)
    return evaluation


def write_submission(path: str | Path, bundle: Bundle, claim: Claim, folder: Path) -> None:
    """Copy a bundle and the code of its parts to a new submission, next to its claim.

    Args:
        path: the bundle, as named by the user.
        bundle: its content.
        claim: its score.
        folder: the folder of the submission, which must not exist.

    Raises:
        UsageError: the folder exists, another machine cannot find the code of a part, or the bundle was
            replaced since it was scored.
        BundleError: its card is a link to another folder.
        ZooError: it cannot be written.
    """
    refuse_existing(folder)
    files = list(dict.fromkeys(_code(bundle)))
    _refuse_equal_names(files)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(folder) as temporary:
        (temporary / BUNDLE).mkdir()
        for source in files_to_share(bundle_folder(path)):
            shutil.copyfile(source, temporary / BUNDLE / source.name)
        for file in files:
            shutil.copyfile(file, temporary / file.name)
        check_unchanged(temporary / BUNDLE, bundle)
        (temporary / FILE).write_bytes(canonical(claim.to_json()))
        refuse_existing(folder)  # again: large weights take a while


def refuse_existing(folder: Path) -> None:
    """Check that no folder would be replaced.

    Raises:
        UsageError: it exists.
    """
    if os.path.lexists(folder):
        raise UsageError(Problem("already exists", str(folder), "choose another name, or remove the folder"))


def check_unchanged(copy: Path, bundle: Bundle) -> None:
    """Check that a copy of a bundle is the model that was scored: a training may have replaced it meanwhile.

    Raises:
        UsageError: its weights differ.
        BundleError: the copy is of two bundles.
    """
    read_bundle(copy)
    expected = bundle.model.state_dict()
    tensors = widened(read_weights(copy / WEIGHTS, "weights").tensors, expected)
    if digest(tensors) != digest(expected):
        what = "the bundle was replaced while it was scored"
        raise UsageError(Problem(what, hint="wait until its training has ended, and submit it again"))


def _refuse_equal_names(files: Iterable[Path]) -> None:
    """Refuse files of the same name in different folders: a submission has room for one of them.

    Raises:
        UsageError: there are some.
    """
    seen: dict[str, Path] = {}
    for file in files:
        if (first := seen.setdefault(file.name, file)) != file:
            what = f"has the same name as {first}, and both are code of this bundle"
            raise UsageError(Problem(what, str(file), "rename one of them, and train again"))


def _code(bundle: Bundle) -> Iterator[Path]:
    """The files of code that a submission must contain.

    Raises:
        UsageError: a part is listed in the user's `registry.toml`, which is not submitted.
    """
    for slot, choice in third_party(bundle).items():
        source = choice.entry.source
        if source.origin == "local":
            what = "is listed in ./registry.toml, which is not part of a submission"
            hint = f"train with {slot}=./FILE.py, or publish the plugin as a package"
            raise UsageError(Problem(what, f"{slot}={choice.entry.qualified}", hint))
        if source.is_file:
            yield Path(source.target)
