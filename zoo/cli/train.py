"""`zoo train`: let a model learn from music, and keep what it came to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.music import MusicKeys, music_words, open_music
from zoo.cli.words import recipe_words
from zoo.errors import Problem, UsageError
from zoo.parts import Slot, setting
from zoo.train.settings import TrainSettings

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.model.model import Model
    from zoo.model.provenance import Origin
    from zoo.registry import Recipe
    from zoo.train.events import History
    from zoo.train.swap import Swap


class TrainKeys(MusicKeys):
    """What `zoo train` takes beside parts and training."""

    seed: int = setting(0, "seed of the first weights and of everything left to chance", ge=0)


SECTIONS = {"train": TrainSettings}


@click.command("train")
@recipe_words(TrainKeys, SECTIONS)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    help="The folder of the run, new or begun.",
)
@click.option("--resume", is_flag=True, help="Go on with the run that was begun there, if one was.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def command(words: tuple[str, ...], output: Path, resume: bool, as_json: bool) -> None:
    """Train a model on music and keep its best weights as a bundle.

    KEY=VALUE is slot=part, slot.setting=value, data=bach or data=FOLDER, seed=1, train.minutes=5 or
    another setting of training (train.steps, train.lr, ...), the name of a recipe, or @file.toml.
    A run that was interrupted or killed goes on exactly where it was:
    zoo train -o RUN --resume. Code in a file that the run was begun with is run again where it is named
    again: zoo train -o RUN --resume attention=./mine.py, or with --local.

    A trained model is fine-tuned by naming its run or bundle: zoo train @BUNDLE data=FOLDER -o RUN. Its parts
    may come from several: core=@BUNDLE_A decoder=@BUNDLE_B. Where training makes them no better, the weights
    stay as they were.
    """
    from zoo.registry import open_registry
    from zoo.train.lock import claimed
    from zoo.train.plan import begun_origins, begun_plan, begun_words, typed_over
    from zoo.train.swap import parse_swap

    begun = begun_plan(output) if resume else None
    if resume and not begun and not words:
        hint = "name the folder of a run, or say what to train: zoo train data=FOLDER -o RUN"
        raise UsageError(Problem("no run was begun here, so none can go on", str(output), hint))
    meant = typed_over(begun_words(begun, output), words) if begun else words
    swap = parse_swap(meant, open_registry(), sections=SECTIONS, keys=TrainKeys)
    known = begun_origins(begun) if begun and not swap.sources else {}
    with claimed(output):
        trained = _train(swap, known, output, resume)
        _write(trained, swap.recipe, output)
    _print(trained.history, swap.recipe, output, as_json)


@dataclass(frozen=True)
class _Trained:
    """A model with how it came about."""

    model: Model
    corpus: Corpus
    history: History
    origins: Mapping[Slot, Origin]


def _train(swap: Swap, known: Mapping[Slot, Origin], output: Path, resume: bool) -> _Trained:
    """Train from new weights, those of trained parts, or where a run stands.

    Args:
        swap: what is trained.
        known: where the weights that the run began with came from, if it goes on without naming them.
        output: the folder of the run.
        resume: whether a run that was begun there goes on.
    """
    from zoo.cli.console import talk, visible
    from zoo.train.assemble import assemble, origins
    from zoo.train.fit import fit
    from zoo.train.run import Run
    from zoo.train.watch import Watch

    recipe, run = swap.recipe, Run(output)
    corpus = open_music(recipe.keys)
    if not swap.sources:
        recipe = recipe.on_grid(corpus.grid)
    learned, judged = (len(corpus.split(name).pieces) for name in ("train", "valid"))
    told = f"{learned} pieces of {corpus.name} to learn from, {judged} to judge by"
    talk.print(visible(told), soft_wrap=True)
    model = assemble(replace(swap, recipe=recipe), recipe.values["seed"])
    began = origins(swap, model) if swap.sources else known
    try:
        with Watch(talk) as watch:
            history = fit(
                model,
                corpus,
                recipe.sections["train"],
                run,
                watch,
                seed=recipe.values["seed"],
                resume=resume,
                origins=began,
            )
    except KeyboardInterrupt:
        again = f"zoo train -o {shlex.quote(str(output))} --resume"
        saved = f"Stopped, and saved. Go on with: {again}"
        talk.print(visible(saved) if run.is_saved else "Stopped before there was anything to save.")
        raise
    if resume and not history.validations:
        talk.print("The run had come to its end; a larger train.minutes or train.steps goes on from there.")
    return _Trained(model, corpus, history, began)


def _write(trained: _Trained, recipe: Recipe, output: Path) -> None:
    """The best weights as a bundle, with music that they write."""
    from zoo.model.bundle import save_bundle
    from zoo.model.generate import generate
    from zoo.train.record import meter_of, record

    model = trained.model.cpu()
    seed, settings = recipe.values["seed"], recipe.sections["train"]
    told = record(trained.history, trained.corpus, settings, seed, trained.origins)
    sample = generate(model, frames=64 * model.grid, seed=seed, meter=meter_of(told, model.grid))[0]
    save_bundle(model, output / "bundle", sample=sample, **told)


def _print(history: History, recipe: Recipe, output: Path, as_json: bool) -> None:
    from zoo.cli.console import print_json, show, visible
    from zoo.train.watch import clock

    bundle = output / "bundle"
    if as_json:
        print_json(_facts(history, bundle))
        return
    said = f"{history.step} steps in {clock(history.seconds)}"
    if history.best:
        terms = ", ".join(f"{term} {value:.3f}" for term, value in history.best.items())
        said += f"; {sum(history.best.values()):.3f} nats per frame of the validation pieces ({terms})"
    kept = [term for term, step in history.best_step.items() if step == 0 < history.step]
    if kept:
        said += f"; training did not improve the {' and the '.join(kept)}, which stays as it was"
    place, music = shlex.quote(str(bundle)), music_words(recipe.keys)
    sample = f"{bundle / 'sample.mid'}: music they write"
    for line in (said, f"{bundle}: the best weights", sample):
        show.print(visible(line))
    foreign = any(choice.entry.source.is_file for choice in recipe.parts.values())
    local = " --local" if foreign else ""
    show.print(visible(f"Next:  zoo evaluate {place} {music}{local}"), soft_wrap=True)
    show.print(visible(f"       zoo generate {place} --seed 1 -o music.mid{local}"), soft_wrap=True)


def _facts(history: History, bundle: Path) -> dict[str, Any]:
    return {
        "bundle": str(bundle),
        "steps": history.step,
        "seconds": history.seconds,
        "best": dict(history.best),
        "best_step": dict(history.best_step),
    }
