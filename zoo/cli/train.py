"""`zoo train`: train a model on music and save it as a bundle."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.corpora import not_held_out
from zoo.cli.music import music_words, open_music
from zoo.cli.overwriting import check_own_folder, note_kept_card
from zoo.cli.words import recipe_words, shell_path
from zoo.counts import count
from zoo.errors import BundleError, Problem, UsageError
from zoo.parts import Slot
from zoo.parts.terms import SLOTS_OF, Term
from zoo.train.keys import TrainKeys
from zoo.train.settings import SECTIONS

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.model.model import Model
    from zoo.model.provenance import Origin
    from zoo.registry import Recipe
    from zoo.train.events import FitResult
    from zoo.train.proposals import Proposal
    from zoo.train.ranks import Ranks
    from zoo.train.swap import Swap


TO_THE_END = "--resume train.patience=0 trains to the end of the budget"
"""How to go on after training stopped early."""


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
    keep their weights.
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
        _check_bundle(output)
        trained = _train(swap, known, output, resume, ranks)
        try:
            score = _write(trained, swap.recipe, output) if ranks.is_first else None
        except KeyboardInterrupt:
            again = f"zoo train -o {shlex.quote(str(output))} --resume"
            stderr.print(visible(f"Stopped before the bundle was written. Write it with: {again}"))
            raise
    if ranks.is_first:
        _print(trained, score, swap.recipe, output, as_json)


def _check_starts(words: Sequence[str], output: Path) -> None:
    """Check that the words for a folder without a run name what to train, not only how to train further."""
    if all(word.startswith("train.") for word in words):
        hint = "give the folder of a run, or start one: zoo train data=FOLDER -o RUN"
        raise UsageError(Problem("there is no run here to resume", str(output), hint))


def _note_new(output: Path) -> None:
    """Say that a run starts that was perhaps meant to continue another."""
    from zoo.cli.console import stderr

    stderr.print_line(f"note: there is no run in {output}; a new one is started")


def _check_bundle(output: Path) -> None:
    """Check, before training and before the bundle is written, that it has its place."""
    from zoo.model.bundle import check_place

    again = f"zoo train -o {shlex.quote(str(output))} --resume"
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


@dataclass(frozen=True)
class _Trained:
    """A trained model, its music, and the result of training."""

    model: Model
    corpus: Corpus
    result: FitResult
    origins: Mapping[Slot, Origin]


def _train(swap: Swap, known: Mapping[Slot, Origin], output: Path, resume: bool, ranks: Ranks) -> _Trained:
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
        again = f"zoo train -o {shlex.quote(str(output))} --resume"
        saved = f"Stopped and saved. Continue with: {again}"
        stderr.print(visible(saved) if run.is_saved else "Stopped before the first checkpoint.")
        raise
    if resume and not result.validations:
        further = "raise train.minutes or train.steps to train further"
        stderr.print(f"The run was complete; {TO_THE_END if result.stopped == 'patience' else further}.")
    return _Trained(model, corpus, result, began)


def _write(trained: _Trained, recipe: Recipe, output: Path) -> Mapping[str, Any] | None:
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
    _check_bundle(output)
    note_kept_card(save_trained(model, output / "bundle", training_record, seed))
    score: Mapping[str, Any] | None = training_record["scores"].get("validation_score")
    return score


def _print(
    trained: _Trained, score: Mapping[str, Any] | None, recipe: Recipe, output: Path, as_json: bool
) -> None:
    from zoo.cli.console import print_json, stdout, visible
    from zoo.parts.kinds import marked
    from zoo.train.watch import clock

    result, bundle, settings = trained.result, output / "bundle", recipe.sections["train"]
    if as_json:
        print_json({**_to_json(result, bundle), "score": score})
        return
    summary = f"{count(result.step, 'step')} in {clock(result.seconds)}"
    if result.best:
        terms = ", ".join(
            f"{term} {marked(value, result.kinds.get(term))}" for term, value in result.best.items()
        )
        summary += f"; best validation: {terms} nats/frame"
    early = f"stopped early: no term improved in the last {count(settings.wait, 'step')}; {TO_THE_END}"
    unimproved = [
        term
        for term, step in result.best_step.items()
        if step == 0 < result.step and _has_weights(trained.model, term)
    ]
    if unimproved:
        summary += (
            f"; training did not improve the {' and the '.join(unimproved)}; the original weights are kept"
        )
    place, music = shell_path(bundle), music_words(recipe.keys)
    sample = f"{bundle / 'sample.mid'}: a sample of their music"
    weights = f"{bundle}: the {'best' if result.best else 'last'} weights"
    stop = [early] if result.stopped == "patience" else []
    for line in (summary, *stop, *_score_in_words(score), weights, sample):
        stdout.print(visible(line))
    foreign = any(choice.entry.source.is_file for choice in recipe.parts.values())
    local = " --local" if foreign else ""
    following = [
        f"zoo generate {place} --seed 1 -o music.mid{local}",
        f"zoo report {shell_path(output)} -o listen.html{local}",
    ]
    if trained.corpus.split("test").pieces:
        following.insert(0, f"zoo evaluate {place} {music}{local}")
    for index, line in enumerate(following):
        stdout.print(visible(f"       {line}" if index else f"Next:  {line}"), soft_wrap=True)


def _has_weights(model: Model, term: Term) -> bool:
    """Whether parts of a term are trained by gradient."""
    return any(
        parameter.requires_grad
        for slot in SLOTS_OF[term]
        for parameter in model.get_submodule(slot).parameters()
    )


def _score_in_words(score: Mapping[str, Any] | None) -> Iterator[str]:
    """The score of the best weights in a line; nothing without validation pieces."""
    from zoo.parts.kinds import marked

    if score:
        ends = score["interval"]
        half = f" ± {(ends[1] - ends[0]) / 2:.3f}" if ends else ""
        pieces = count(score["pieces"], "validation piece")
        number = f"{marked(score['nats'], score['kind'])}{half} nats/frame on {pieces}"
        is_full = score.get("full_score", True)
        terms = "with the residual" if is_full else "the keys alone, as this music has no onsets"
        yield f"score: {number}, as `zoo evaluate` computes it: {terms}, without velocity"


def _to_json(result: FitResult, bundle: Path) -> dict[str, Any]:
    return {
        "bundle": str(bundle),
        "steps": result.step,
        "seconds": result.seconds,
        "stopped": result.stopped,
        "best": dict(result.best),
        "best_step": dict(result.best_step),
        "kinds": dict(result.kinds),
    }
