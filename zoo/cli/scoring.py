"""Score trained models next to the floors, with notes on what is left out; for `evaluate` and `report`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zoo.cli.music import open_music
from zoo.counts import count
from zoo.errors import Problem, UsageError
from zoo.limits import COLDEST, HOTTEST
from zoo.parts import SLOTS, setting
from zoo.train.keys import MusicKeys

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.measure.resemblance import Resemblance
    from zoo.measure.row import Row
    from zoo.model.bundle import Bundle
    from zoo.model.model import Model
    from zoo.music.roll import Roll
    from zoo.parts.residual import Plane


class EvaluateKeys(MusicKeys):
    """The keys of `zoo evaluate` besides live settings."""

    split: Literal["train", "valid", "test", "all"] = setting("test", "which pieces are scored")
    seed: int = setting(0, "seed of bounds, estimates and generated passages", ge=0)
    samples: int = setting(
        32,
        "passages that each model generates for the comparison with held-out music; 0 for none",
        ge=0,
        le=1000,
    )
    temperature: float = setting(1.0, "temperature of generated passages", ge=COLDEST, le=HOTTEST)
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = setting(
        "auto", "number of threads; auto is one for small models"
    )


def evaluate_keys(words: Sequence[str]) -> EvaluateKeys:
    """The settings of an evaluation from words of the command line."""
    from zoo.registry import open_registry, parse_recipe

    keys: EvaluateKeys = parse_recipe(words, open_registry(), keys=EvaluateKeys).keys
    return keys


def scored(
    loaded: Mapping[str, Bundle], variants: Sequence[Sequence[str]], corpus: Corpus, keys: EvaluateKeys
) -> tuple[list[Row], list[Row]]:
    """The rows of the models and floors on one split of the music, and the loudness floors."""
    pieces = corpus.split(keys.split)
    rows = _rows(loaded, variants, corpus, pieces, keys)
    models = {name: bundle.model for name, bundle in loaded.items()}
    return rows, (_velocity_floors(models, corpus, pieces) if keys.split != "all" else [])


def music_of(keys: EvaluateKeys, models: Mapping[str, Model]) -> Corpus:
    """Open the music on the grid of the models, and check that all of them can be scored on it."""
    grids = {name: model.grid for name, model in models.items()}
    if len(set(grids.values())) > 1:
        listed = ", ".join(f"{name} {grid}" for name, grid in grids.items())
        what = f"nats per frame on different grids are not comparable (frames per quarter note: {listed})"
        raise UsageError(Problem(what, hint="evaluate the models of each grid separately"))
    corpus = open_music(keys, next(iter(grids.values()), None))
    if models:
        from zoo.measure.evaluator import check_music

        for model in models.values():
            check_music(model, corpus)
    return corpus


def print_notes(loaded: Mapping[str, Bundle], corpus: Corpus, keys: EvaluateKeys) -> None:
    """Print what is left out, and which models may have been trained on pieces that they are scored on."""
    from zoo.cli.console import stderr
    from zoo.train.record import reading_notes

    pieces = corpus.split(keys.split)
    notes = (*_left_out(loaded, pieces, keys), *_trained_on(loaded, corpus, pieces, keys))
    readings = (note for name, bundle in loaded.items() for note in reading_notes(name, bundle, corpus))
    for note in (*notes, *readings):
        stderr.print_line(f"note: {note}")


def _left_out(loaded: Mapping[str, Bundle], pieces: Corpus, keys: EvaluateKeys) -> Iterator[str]:
    """Results that are left out, and why."""
    from zoo.measure.passages import passage_frames

    if keys.split == "all":
        yield (
            "floors and generated passages are left out: split=all leaves no training pieces to train floors "
            "on or to search for copies"
        )
    elif loaded and keys.samples and keys.split == "train":
        yield "generated passages are left out: split=train has no held-out pieces to compare them with"
    elif loaded and keys.samples and not passage_frames(pieces):
        yield "generated passages are left out: too few pieces have enough whole bars to compare them with"


def _trained_on(
    loaded: Mapping[str, Bundle], corpus: Corpus, pieces: Corpus, keys: EvaluateKeys
) -> Iterator[str]:
    """Which models were, or may have been, trained on pieces that they are scored on."""
    from zoo.measure.table import chosen_note
    from zoo.model.provenance import other_music
    from zoo.train.record import chosen_on, trained_on

    scored = count(len(pieces.pieces), "scored piece")
    for name, bundle in loaded.items():
        others = other_music(bundle.record["trained_on"], corpus.digest)
        names = " and ".join(_music_and_parts(music, slots) for music, slots in others.items())
        known = trained_on([bundle], corpus, pieces)
        if known:
            compares = keys.samples and keys.split not in ("train", "all")
            aside = ", so its passages are not compared with them" if compares else ""
            yield f"{name} was trained on {known:,} of the {scored}{aside}"
        elif others and known is None:
            yield (
                f"{name} was trained on other music ({names}), and its bundle does not list the pieces; "
                f"it may have been trained on some of the {scored}"
            )
        elif others:
            yield (
                f"{name} was trained on other music ({names}) without the {scored}, but possibly with other "
                "versions of the same music"
            )
        elif known is None:
            yield f"{name} does not list its training pieces and may have seen some of the {scored}"
        if chosen := chosen_on([bundle], corpus, pieces):
            yield chosen_note(name, chosen, len(pieces.pieces))


def _music_and_parts(music: str, slots: Sequence[str]) -> str:
    """The name of some music, with the parts that were trained on it unless all were."""
    return music if len(slots) == len(SLOTS) else f"{music}: {', '.join(slots)}"


def _rows(
    loaded: Mapping[str, Bundle],
    variants: Sequence[Sequence[str]],
    corpus: Corpus,
    pieces: Corpus,
    keys: EvaluateKeys,
) -> list[Row]:
    from dataclasses import replace

    from zoo.cli.progress import waiting
    from zoo.measure.evaluator import evaluate
    from zoo.measure.row import Row
    from zoo.model.live import set_live
    from zoo.model.weights import model_digest
    from zoo.train.record import chosen_on, trained_on

    models = {name: bundle.model for name, bundle in loaded.items()}
    with waiting("the floors"):
        rows = _floor_rows(models, corpus, pieces) if keys.split != "all" else []
    for name, model in models.items():
        seen = trained_on([loaded[name]], corpus, pieces)
        for words in variants:
            changed = set_live(model, words)
            with waiting(" ".join([name, *words])) as progress:
                result = evaluate(model, pieces, seed=keys.seed, progress=progress, threads=keys.threads)
            row = Row(
                _label(name, rows),
                model.encoder.plane,
                str(model.recipe),
                result,
                changed,
                trained_on=seen,
                chosen_on=chosen_on([loaded[name]], corpus, pieces),
                model=model_digest(model),
            )
            # Pieces that a model was trained on say nothing about its resemblance to others.
            similar = None if seen else _resemblance(model, corpus, pieces, keys, row.name)
            if similar and may_know_other_music(loaded[name], corpus):
                similar = similar.without_copies()
            rows.append(replace(row, resemblance=similar))
    return rows


def may_know_other_music(bundle: Bundle, corpus: Corpus) -> bool:
    """Whether a model was, or may have been, trained on music that is not searched for copies of it."""
    from zoo.model.provenance import other_music
    from zoo.train.record import names_music

    return bool(other_music(bundle.record["trained_on"], corpus.digest)) or not names_music(bundle)


def _label(name: str, rows: Sequence[Row]) -> str:
    """The name of a bundle, as a path if a floor has the same name."""
    from zoo.cli.console import visible

    return f"./{visible(name)}" if any(row.is_floor and row.label == name for row in rows) else visible(name)


def ensemble_row(loaded: Mapping[str, Bundle], corpus: Corpus, keys: EvaluateKeys) -> Row:
    """The row of the mean prediction of several models."""
    from zoo.cli.progress import waiting
    from zoo.measure.evaluator import evaluate
    from zoo.measure.row import Row
    from zoo.train.record import chosen_on, trained_on

    first, *others = models = [bundle.model for bundle in loaded.values()]
    pieces = corpus.split(keys.split)
    with waiting("the ensemble") as progress:
        result = evaluate(
            first,
            pieces,
            ensemble=others,
            seed=keys.seed,
            progress=progress,
            threads=keys.threads,
        )
    recipes = " | ".join(str(model.recipe) for model in models)
    seen = trained_on(loaded.values(), corpus, pieces)
    chosen = chosen_on(loaded.values(), corpus, pieces)
    label = f"ensemble of {len(models)}"
    return Row(label, first.encoder.plane, recipes, result, trained_on=seen, chosen_on=chosen)


def _resemblance(
    model: Model, corpus: Corpus, pieces: Corpus, keys: EvaluateKeys, name: str
) -> Resemblance | None:
    """Compare generated passages with the pieces; None if there are no held-out pieces to compare with."""
    from dataclasses import replace

    from zoo.cli.progress import waiting
    from zoo.measure.passages import passage_frames, passage_meters
    from zoo.measure.resemblance import resemble
    from zoo.model.generate import generate

    frames = passage_frames(pieces)
    if keys.samples == 0 or keys.split in ("train", "all") or frames == 0:
        return None
    written: list[Roll] = []
    for number, (meter, share) in enumerate(passage_meters(pieces, frames, keys.samples)):
        with waiting(f"{name} writes in {meter}") as progress:
            seed = keys.seed + number
            written += generate(
                model,
                frames,
                share,
                seed,
                keys.temperature,
                progress=progress,
                meter=meter,
                threads=keys.threads,
            )
    resemblance = resemble(written, pieces, corpus.split("train"), seed=keys.seed)
    return replace(resemblance, temperature=keys.temperature)


def _floor_rows(models: Mapping[str, Model], corpus: Corpus, pieces: Corpus) -> list[Row]:
    """The floors for the planes of all models; without models, for all planes of the music."""
    from dataclasses import replace

    from zoo.measure.floors import floors
    from zoo.registry import open_registry

    both: tuple[Plane, ...] = ("onset", "sounding")
    wanted = {model.encoder.plane for model in models.values()} or corpus.planes
    planes = [plane for plane in both if plane in wanted]
    rows: list[Row] = []
    for plane in planes:
        of_plane = floors(corpus.split("train"), pieces, plane, open_registry())
        if len(planes) > 1:
            of_plane = [replace(row, label=f"{row.label}, {plane}") for row in of_plane]
        rows += of_plane
    return rows


def _velocity_floors(models: Mapping[str, Model], corpus: Corpus, pieces: Corpus) -> list[Row]:
    """The loudness floors, if the music has velocities and any of the models (if given) models loudness."""
    none_models_it = models and not any(model.velocity.models_loudness for model in models.values())
    if "velocity" not in corpus.planes or none_models_it:
        return []
    from zoo.cli.progress import waiting
    from zoo.measure.floors import velocity_floors
    from zoo.registry import open_registry

    with waiting("the floors of loudness"):
        return velocity_floors(corpus.split("train"), corpus.split("valid"), pieces, open_registry())
