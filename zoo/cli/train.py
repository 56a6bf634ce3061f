"""`zoo train`: let a model learn from music, and keep what it came to."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.music import MusicKeys, music_words, open_music
from zoo.cli.words import recipe_words
from zoo.errors import Problem, UsageError
from zoo.learn.settings import TrainSettings
from zoo.parts import setting

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.learn.events import History
    from zoo.model.model import Model
    from zoo.registry import Recipe


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
    """
    from zoo.learn.lock import claimed
    from zoo.learn.plan import begun_plan, begun_words, typed_over
    from zoo.registry import open_registry, parse_recipe

    begun = begun_plan(output) if resume else None
    if resume and not begun and not words:
        cure = "name the folder of a run, or say what to train: zoo train data=FOLDER -o RUN"
        raise UsageError(Problem("no run was begun here, so none can go on", str(output), cure))
    meant = typed_over(begun_words(begun, output), words) if begun else words
    recipe = parse_recipe(meant, open_registry(), sections=SECTIONS, keys=TrainKeys)
    with claimed(output):
        model, corpus, history = _train(recipe, output, resume)
        _write(model, corpus, history, recipe, output)
    _print(history, recipe, output, as_json)


def _train(recipe: Recipe, output: Path, resume: bool) -> tuple[Model, Corpus, History]:
    from zoo.cli.console import talk, visible
    from zoo.learn.fit import fit
    from zoo.learn.run import Run
    from zoo.learn.watch import Watch
    from zoo.model.build import build

    corpus = open_music(recipe.keys)
    recipe = recipe.on_grid(corpus.grid)
    learned, judged = (len(corpus.split(name).pieces) for name in ("train", "valid"))
    told = f"{learned} pieces of {corpus.name} to learn from, {judged} to judge by"
    talk.print(visible(told), soft_wrap=True)
    model = build(recipe, recipe.values["seed"])
    run = Run(output)
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
            )
    except KeyboardInterrupt:
        again = f"zoo train -o {shlex.quote(str(output))} --resume"
        saved = f"Stopped, and saved. Go on with: {again}"
        talk.print(visible(saved) if run.is_saved else "Stopped before there was anything to save.")
        raise
    if resume and not history.validations:
        talk.print("The run had come to its end; a larger train.minutes or train.steps goes on from there.")
    return model, corpus, history


def _write(model: Model, corpus: Corpus, history: History, recipe: Recipe, output: Path) -> None:
    """The best weights as a bundle, with music that they write."""
    from zoo.learn.record import meter_of, record
    from zoo.model.bundle import save_bundle
    from zoo.model.generate import generate

    model.cpu()
    seed = recipe.values["seed"]
    told = record(history, corpus, recipe.sections["train"], seed)
    sample = generate(model, frames=64 * model.grid, seed=seed, meter=meter_of(told, model.grid))[0]
    save_bundle(model, output / "bundle", sample=sample, **told)


def _print(history: History, recipe: Recipe, output: Path, as_json: bool) -> None:
    from zoo.cli.console import print_json, show, visible
    from zoo.learn.watch import clock

    bundle = output / "bundle"
    if as_json:
        print_json(_facts(history, bundle))
        return
    said = f"{history.step} steps in {clock(history.seconds)}"
    if history.best:
        terms = ", ".join(f"{term} {value:.3f}" for term, value in history.best.items())
        said += f"; {sum(history.best.values()):.3f} nats per frame of the validation pieces ({terms})"
    place, music = shlex.quote(str(bundle)), music_words(recipe.keys)
    sample = f"{bundle / 'sample.mid'}: music they write"
    for line in (said, f"{bundle}: the best weights", sample):
        show.print(visible(line))
    foreign = any(choice.entry.source.is_file for choice in recipe.parts.values())
    local = " --local" if foreign else ""
    show.print(visible(f"Next:  zoo evaluate {place} {music}{local}"))
    show.print(visible(f"       zoo generate {place} --seed 1 -o music.mid{local}"))


def _facts(history: History, bundle: Path) -> dict[str, Any]:
    return {
        "bundle": str(bundle),
        "steps": history.step,
        "seconds": history.seconds,
        "best": dict(history.best),
        "best_step": dict(history.best_step),
    }
