"""What `zoo train` prints at its end, and the commands that it suggests."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.music import music_words
from zoo.cli.words import shell_path
from zoo.counts import count
from zoo.parts import Slot
from zoo.parts.terms import SLOTS_OF, Term

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.model.model import Model
    from zoo.model.provenance import Origin
    from zoo.registry import Recipe
    from zoo.train.events import FitResult

TO_THE_END = "--resume train.patience=0 trains to the end of the budget"
"""How to go on after training stopped early."""


@dataclass(frozen=True)
class TrainedRun:
    """A trained model, its music, and the result of training.

    Attributes:
        model: the model, with the best weights.
        corpus: the music.
        result: the result of training.
        origins: origins of trained parts that it started from.
    """

    model: Model
    corpus: Corpus
    result: FitResult
    origins: Mapping[Slot, Origin]


def resume_command(output: Path, recipe: Recipe) -> str:
    """The command that continues a run."""
    return f"zoo train -o {shlex.quote(str(output))} --resume{local_option(recipe)}"


def local_option(recipe: Recipe) -> str:
    """The switch that allows to run the code of parts in files, if there are any."""
    return " --local" if any(part.entry.source.is_file for part in recipe.parts.values()) else ""


def print_result(
    trained: TrainedRun, score: Mapping[str, Any] | None, recipe: Recipe, output: Path, as_json: bool
) -> None:
    """Print what was trained, its score and what was written, or the same as JSON."""
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
    local = local_option(recipe)
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
