"""Bundles: a trained model as a folder that can be archived and shared.

    config.json         configuration: recipe, parts and versions, grid, data, scores
    model.safetensors   weights and counts
    README.md           model card, which may be edited
    sample.mid          a sample of its music (optional)
    manifest.json       sha256 of each of the other files except the card, written last

Nothing in a bundle is ever executed. A bundle is replaced as a whole, and is loaded only if it is exactly as
it was written.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import zoo
from zoo.errors import BundleError, Problem, UsageError, ZooError
from zoo.files import new_folder, writing
from zoo.model.build import build, outline, parameter_count
from zoo.model.card import card
from zoo.model.code import code_of, located
from zoo.model.config import read_config
from zoo.model.format import check_format
from zoo.model.half import narrowed, rounded
from zoo.model.kept import keep_edited_card, keep_others
from zoo.model.model import Model
from zoo.model.pretrained import RECIPE, bundle_folder, pretrained_names
from zoo.model.provenance import MusicRecord, shared_pieces, with_short_lists, without_pieces
from zoo.model.provenance import trained_on as read_trained_on
from zoo.model.sealed import (
    CARD,
    CONFIG,
    CONFIG_FORMAT,
    FILES,
    MANIFEST,
    SAMPLE,
    WEIGHTS,
    canonical,
    is_bundle_place,
    manifest,
    one_bundle,
)
from zoo.model.weights import (
    Weights,
    check_finite,
    check_readable,
    check_shapes,
    digest,
    pack,
    read_weights,
    restore,
)
from zoo.music.roll import Roll
from zoo.music.writing import midi_bytes
from zoo.parts import SLOTS, Slot
from zoo.parts.piano import KEYS, LOWEST_KEY
from zoo.registry import Recipe, open_registry
from zoo.registry.recipe import GridKeys


def save_bundle(
    model: Model,
    path: str | Path,
    *,
    scores: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    sample: Roll | None = None,
    training: Mapping[str, Any] | None = None,
    sources: Mapping[Slot, str] | None = None,
    trained_on: Mapping[Slot, Sequence[MusicRecord]] | None = None,
    versions: Mapping[str, str] | None = None,
    half: bool = False,
) -> Path | None:
    """Write a model as a bundle. An existing bundle is replaced; other files in its folder are kept.

    A model card that a person has edited is kept beside the new one, which describes other weights.

    Args:
        model: the model, trained or not.
        path: the folder.
        scores: nats per frame and other measurements, as JSON values.
        data: the music it was trained on, with its `digest`.
        sample: music that it generated.
        training: how it was trained.
        sources: slot -> the run or bundle that a trained part was taken from unchanged.
        trained_on: slot -> all music that the part was trained on, oldest first.
        versions: versions of the packages that trained the weights; by default the installed ones.
        half: whether to store the parameters in half precision.

    Returns:
        Where the edited model card of the replaced bundle is kept; None if there was none.

    Raises:
        NonFiniteError: the weights are not all finite, or exceed half precision; nothing is written.
        UsageError: the path exists and is not a bundle; or the weights could not be loaded again, such as
            those in bfloat16. Nothing is changed.
        ZooError: the folder cannot be written.
    """
    place = Path(path)
    check_finite(model.state_dict(), str(place))
    if half:
        model = rounded(model)
        check_finite(model.state_dict(), str(place), "finite in half precision", "save them without half")
    tensors = narrowed(model) if half else model.state_dict()
    recipe = replace(model.recipe, sections={}, keys=GridKeys()).on_grid(model.grid)
    if (expected := outline(recipe)) is not None:
        check_readable(tensors, expected, str(place))
    check_place(place)
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    config = {
        **_config(model, recipe, sources or {}, trained_on or {}),
        "code": code_of(model.recipe, place),
        "versions": {**_versions(), **(versions or {})},
        "data": data,
        **shared_pieces(trained_on or {}, data),
        "training": training,
        "scores": scores,
    }
    config = with_short_lists(config)
    contents = {
        CONFIG: canonical(config),
        WEIGHTS: pack(Weights(tensors, {"format": CONFIG_FORMAT})),
        CARD: card(config).encode(),
    }
    if sample is not None:
        contents[SAMPLE] = midi_bytes(sample)
    # The bundle is written beside the old one and takes its place only when complete: a reader sees one of
    # the two. The manifest comes last, so that a folder without it is never mistaken for a bundle.
    with new_folder(place, own=(*FILES, MANIFEST)) as folder:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        (folder / MANIFEST).write_bytes(manifest(contents))
        keep_others(place, folder)
        kept = keep_edited_card(place, folder)
    return place / kept if kept else None


@dataclass(frozen=True)
class Bundle:
    """The content of a bundle.

    Attributes:
        model: the model, on the CPU, exactly as it was saved.
        record: the record of its training, with those of the arguments of `save_bundle` that are known:
            `scores`, `data`, `training`, `versions`, `sources` and `trained_on`.
    """

    model: Model
    record: Mapping[str, Any]


def load_bundle(path: str | Path) -> Model:
    """Load the model from a bundle; see `open_bundle`."""
    return open_bundle(path).model


def open_bundle(path: str | Path, *, local: bool = False) -> Bundle:
    """Read a bundle.

    Args:
        path: the folder, the run that contains it, or the name of a pretrained model.
        local: whether code in files that the bundle names may be run.

    Raises:
        BundleError: it is missing, damaged, changed, from a newer version, or needs parts that are not
            installed; holds all problems of the first stage that fails.
    """
    place = bundle_folder(path)
    if not place.is_dir():
        raise BundleError(Problem("there is no such bundle", str(place), _missing_hint(place)))
    if (place / RECIPE).is_file() and not (place / MANIFEST).exists():
        hint = f"`zoo train -o {shlex.quote(str(place))} --resume` finishes the run and writes it"
        raise BundleError(Problem("this run has no bundle", str(place), hint))
    with one_bundle(place):
        config = read_config(place)
        with _as_bundle_errors(place):
            stored = located(config.get("recipe"), config.get("code"), place)
            recipe = Recipe.from_json(stored, open_registry(local=local), keys=GridKeys)
            expected = outline(recipe)
        # Shapes are compared by the header alone, before a file that does not fit can fill the memory.
        if expected is not None:
            check_shapes(place / WEIGHTS, expected)
        weights = read_weights(place / WEIGHTS, "weights")
    check_format(weights.about.get("format"), CONFIG_FORMAT, str(place / WEIGHTS))
    with _as_bundle_errors(place):
        model = build(recipe)
    restore(model, weights.tensors, str(place / WEIGHTS))
    return Bundle(model.eval(), _record(config))


@contextmanager
def _as_bundle_errors(place: Path) -> Iterator[None]:
    """Turn errors of parts in the block into errors of the bundle that needs them."""
    try:
        yield
    except ZooError as error:
        raise BundleError(*(_located(place, problem) for problem in error.problems)) from error


def _record(config: Mapping[str, Any]) -> dict[str, Any]:
    known = ("scores", "data", "training", "versions")
    record = {name: config[name] for name in known if config.get(name) is not None}
    sources = {slot: part["source"] for slot, part in config.get("parts", {}).items() if part.get("source")}
    return {**record, "sources": sources, "trained_on": read_trained_on(config)}


def _config(
    model: Model,
    recipe: Recipe,
    sources: Mapping[Slot, str],
    trained_on: Mapping[Slot, Sequence[MusicRecord]],
) -> dict[str, Any]:
    return {
        "format": CONFIG_FORMAT,
        "words": str(recipe),
        "recipe": recipe.to_json(),
        "parts": {slot: _part(model, slot, sources.get(slot), trained_on.get(slot, ())) for slot in SLOTS},
        "sizes": {"codes": model.encoder.codes, "features": model.attention.features, "keys": KEYS},
        "grid": {"frames_per_quarter": model.grid, "lowest_key": LOWEST_KEY, "keys": KEYS},
    }


def _versions() -> dict[str, str]:
    return {"polyzoo": zoo.__version__, "torch": torch.__version__, "python": platform.python_version()}


def _part(model: Model, slot: Slot, source: str | None, trained_on: Sequence[MusicRecord]) -> dict[str, Any]:
    entry = model.recipe.parts[slot].entry
    return {
        "name": entry.qualified,
        "summary": entry.description.summary,
        "distribution": entry.distribution,
        "version": entry.version,
        "state_version": entry.description.state_version,
        "parameters": parameter_count(model.get_submodule(slot)),
        "weights": digest(model.get_submodule(slot).state_dict()),
        "source": source,
        "trained_on": without_pieces(trained_on),
    }


def check_place(place: Path, hint: str = "choose a folder that does not exist") -> None:
    """Check that nothing but a bundle would be replaced; to be called before hours of training, too.

    Raises:
        UsageError: the path exists and is not a bundle.
    """
    is_free = not place.exists() or (place.is_dir() and not any(place.iterdir()))
    if not is_free and not is_bundle_place(place):
        raise UsageError(Problem("already exists and is not a bundle", str(place), hint))


def _missing_hint(place: Path) -> str:
    if place.suffix in (".pt", ".pth"):
        return "import weights of the original system with `zoo import MODEL.pt DECODER.pt -o BUNDLE`"
    names = ", ".join(pretrained_names())
    return f"give a folder written by `zoo train` or `zoo build -o`, or a pretrained model: {names}"


def _located(place: Path, problem: Problem) -> Problem:
    """The problem with the path of the bundle added."""
    return replace(problem, where=f"{place}: {problem.where}" if problem.where else str(place))
