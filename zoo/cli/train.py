"""`zoo train`: train a model on music and save it as a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.corpora import not_held_out
from zoo.cli.music import open_music
from zoo.cli.overwriting import check_own_folder, note_kept_card
from zoo.cli.train_result import TO_THE_END, TrainedRun, print_result, resume_command
from zoo.cli.words import recipe_words
from zoo.counts import count
from zoo.errors import BundleError, Problem, UsageError
from zoo.parts import Slot
from zoo.train.keys import TrainKeys
from zoo.train.settings import SECTIONS

if TYPE_CHECKING:
    from zoo.model.provenance import Origin
    from zoo.registry import Recipe
    from zoo.train.proposals import Proposal
    from zoo.train.ranks import Ranks
    from zoo.train.swap import Swap


class _WithSettings(click.Command):
    """A command whose help lists the settings of training."""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List them below the options, each with its default and meaning."""
        from zoo.cli.takes import command_to_json

        rows = [
            (f"{setting['name']}={setting['default']}", setting["help"])
            for setting in command_to_json("train")["settings"]
        ]
        with formatter.section("Settings (`zoo show train` also shows their ranges)"):
            formatter.write_dl(rows, col_max=32)


@click.command("train", cls=_WithSettings)
@recipe_words(TrainKeys, SECTIONS)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="RUN",
    help="Folder of the run.",
)
@click.option("--resume", is_flag=True, help="Continue the run in this folder, if there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(words: tuple[str, ...], output: Path, resume: bool, as_json: bool) -> None:
    """Train a model on music and keep its best weights as a bundle.

    KEY=VALUE is slot=part, slot.setting=value, data=bach or data=FOLDER, seed=1, train.minutes=5 or
    another setting of training (train.steps, train.lr, ...), the name of a recipe, or @file.toml.
    To continue a run that was interrupted or killed exactly where it stopped: zoo train -o RUN --resume. If
    the run uses a part from a file, name it again to confirm that its code may run:
    zoo train -o RUN --resume attention=./mine.py, or add --local.

    To fine-tune a trained model, name its run or bundle: zoo train @BUNDLE data=FOLDER -o RUN. Parts of
    several bundles can be combined: core=@BUNDLE_A decoder=@BUNDLE_B. Parts that training does not improve
    keep their weights; parts that count, such as sampler=markov, count the new music only.
    """
    from zoo.cli.console import stderr, visible
    from zoo.registry import open_registry
    from zoo.train.plan import merge_words, plan_origins, plan_words, read_plan
    from zoo.train.proposals import propose
    from zoo.train.swap import parse_swap

    stored = read_plan(output)
    if not stored:
        check_own_folder(output, "run")
    begun = stored if resume else None
    if resume and not begun:
        _check_starts(words, output)
    merged = merge_words(plan_words(begun, output), words) if begun else words
    swap = parse_swap(merged, open_registry(), sections=SECTIONS, keys=TrainKeys)
    recipe, proposals = propose(swap.recipe)
    swap = replace(swap, recipe=recipe)
    known = plan_origins(begun) if begun and not swap.sources else {}
    with _ranks() as ranks, _locked(output, ranks):
        if resume and not begun:
            _note_new(output)
        _print_proposals(proposals)
        _check_bundle(output, swap.recipe)
        trained = _train(swap, known, output, resume, ranks)
        try:
            score = _write(trained, swap.recipe, output) if ranks.is_first else None
        except KeyboardInterrupt:
            again = resume_command(output, swap.recipe)
            stderr.print(visible(f"Stopped before the bundle was written. Write it with: {again}"))
            raise
    if ranks.is_first:
        print_result(trained, score, swap.recipe, output, as_json)


def _check_starts(words: Sequence[str], output: Path) -> None:
    """Check that the words for a folder without a run name what to train, not only how to train further."""
    if all(word.startswith("train.") for word in words):
        hint = "give the folder of a run, or start one: zoo train data=FOLDER -o RUN"
        raise UsageError(Problem("there is no run here to resume", str(output), hint))


def _note_new(output: Path) -> None:
    """Say that a run starts that was perhaps meant to continue another."""
    from zoo.cli.console import stderr

    stderr.print_line(f"note: there is no run in {output}; a new one is started")


def _check_bundle(output: Path, recipe: Recipe) -> None:
    """Check, before training and before the bundle is written, that it has its place."""
    from zoo.model.bundle import check_place

    again = resume_command(output, recipe)
    check_place(output / "bundle", f"move it to another place; {again} writes the bundle")


def _print_proposals(proposals: Sequence[Proposal]) -> None:
    """Say which training settings come from which part."""
    from zoo.cli.console import stderr

    for part in dict.fromkeys(proposal.part for proposal in proposals):
        words = " ".join(str(proposal) for proposal in proposals if proposal.part == part)
        stderr.print_line(f"{words}: proposed by {part}")


@contextmanager
def _ranks() -> Iterator[Ranks]:
    """The processes that train together, of which only the first prints anything but errors."""
    from zoo.cli.console import stderr
    from zoo.train.ranks import joined

    with joined() as ranks:
        stderr.quiet = not ranks.is_first
        yield ranks


@contextmanager
def _locked(output: Path, ranks: Ranks) -> Iterator[None]:
    """Lock the run folder in the first rank; the others wait until it is locked."""
    from zoo.train.lock import lock_folder

    with lock_folder(output) if ranks.is_first else nullcontext():
        ranks.total(0)
        yield


def _train(swap: Swap, known: Mapping[Slot, Origin], output: Path, resume: bool, ranks: Ranks) -> TrainedRun:
    """Train from initial weights, from trained parts, or from the checkpoint of a run.

    Args:
        swap: the recipe and the sources of trained parts.
        known: sources of the weights that a resumed run started from, if they are not named again.
        output: the folder of the run.
        resume: whether to continue a run in this folder.
        ranks: the processes that train together.
    """
    from zoo.cli.console import stderr, visible
    from zoo.train.assemble import assemble, origins
    from zoo.train.fit import fit
    from zoo.train.run import Run
    from zoo.train.watch import Watch

    recipe, run = swap.recipe, Run(output)
    with ranks.first_ahead():  # the others find the music in the cache
        corpus = open_music(recipe.keys)
    if not swap.sources:
        recipe = recipe.on_grid(corpus.grid)
    learned, judged = (len(corpus.split(name).pieces) for name in ("train", "valid"))
    pieces = f"{count(learned, 'training piece')}, {count(judged, 'validation piece')}"
    notes = [*not_held_out(corpus)]
    if "onset" not in corpus.planes:
        notes.append("this music has no onsets: in generated music, keys that sound on are not struck again")
    if recipe.sections["train"].tracker == "trackio":
        notes.append("losses and scores are also written to the folder of trackio, as train.tracker says")
    for line in (f"{corpus.name}: {pieces}", *(f"note: {note}" for note in notes)):
        stderr.print_line(line)
    model = assemble(replace(swap, recipe=recipe), recipe.values["seed"])
    began = origins(swap, model) if swap.sources else known
    try:
        with Watch(stderr) as watch:
            result = fit(
                model,
                corpus,
                recipe.sections["train"],
                run,
                watch,
                seed=recipe.values["seed"],
                resume=resume,
                origins=began,
                ranks=ranks,
            )
    except KeyboardInterrupt:
        saved = f"Stopped and saved. Continue with: {resume_command(output, recipe)}"
        stderr.print(visible(saved) if run.is_saved else "Stopped before the first checkpoint.")
        raise
    if resume and not result.validations:
        further = "raise train.minutes or train.steps to train further"
        stderr.print(f"The run was complete; {TO_THE_END if result.stopped == 'patience' else further}.")
    return TrainedRun(model, corpus, result, began)


def _write(trained: TrainedRun, recipe: Recipe, output: Path) -> Mapping[str, Any] | None:
    """Save the best weights as a bundle, with a sample of their music; returns their validation score.

    A bundle that is there already, of a run that was complete, is not written again.
    """
    from zoo.measure.validation import with_score
    from zoo.model.config import read_config
    from zoo.train.compose import save_trained
    from zoo.train.lock import check_held
    from zoo.train.record import describes, record

    model = trained.model.cpu()
    if not trained.result.validations:
        with suppress(BundleError):
            if describes(config := read_config(output / "bundle"), model, trained.result):
                return (config.get("scores") or {}).get("validation_score")
    seed, settings = recipe.values["seed"], recipe.sections["train"]
    training_record = record(trained.result, trained.corpus, settings, seed, trained.origins)
    training_record = with_score(training_record, model, trained.corpus, settings, seed)
    check_held(output)
    _check_bundle(output, recipe)
    note_kept_card(save_trained(model, output / "bundle", training_record, seed))
    score: Mapping[str, Any] | None = training_record["scores"].get("validation_score")
    return score
