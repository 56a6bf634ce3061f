"""Bundles: a trained model as a folder that can be kept, sent and trusted.

    config.json         what the model is: recipe, parts and versions, grid, data, scores
    model.safetensors   its weights and counts
    README.md           a model card, which people may edit
    sample.mid          a sample of its music (optional)
    manifest.json       sha256 of each of the others but the card, written last

Nothing in it is ever executed. A bundle is replaced as a whole, and is loaded as it was written or not
at all.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import zoo
from zoo.errors import BundleError, NonFiniteError, Problem, UsageError, ZooError
from zoo.files import new_folder, writing
from zoo.model.build import build, outline, parameter_count
from zoo.model.card import card
from zoo.model.code import code_of, located
from zoo.model.format import check_format
from zoo.model.model import Model
from zoo.model.pretrained import bundle_folder, pretrained_names
from zoo.model.provenance import Music, listed_once, without_pieces
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
    manifest,
    parsed,
    read_bundle,
)
from zoo.model.weights import Weights, check_shapes, digest, not_finite, pack, read_weights, restore
from zoo.music.roll import KEYS, LOWEST_KEY, Roll
from zoo.parts import SLOTS, Slot
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
    trained_on: Mapping[Slot, Sequence[Music]] | None = None,
    versions: Mapping[str, str] | None = None,
) -> None:
    """Write a model as a bundle; a bundle that is there is replaced, files beside it are kept.

    Args:
        model: the model, trained or not.
        path: the folder.
        scores: nats per frame and whatever else was measured, ready for JSON.
        data: what it was trained on, with its `digest`.
        sample: music it wrote.
        training: how it was trained.
        sources: the runs and bundles that trained parts were taken from as they are, by slot.
        trained_on: all music that each part was trained on, by slot, oldest first.
        versions: versions of the packages that trained the weights; the installed ones by default.

    Raises:
        NonFiniteError: the weights are not all finite; nothing is written.
        UsageError: the path holds something that is not a bundle; it is left alone.
        ZooError: the folder cannot be written.
    """
    place = Path(path)
    tensors = model.state_dict()
    if bad := not_finite(tensors):
        raise NonFiniteError(
            Problem(f"weights {', '.join(bad)} are not all finite, so they are not saved", str(place))
        )
    own = _own_files(place)
    config = {
        **_config(model, sources or {}, trained_on or {}),
        "code": code_of(model.recipe, place),
        "versions": {**_versions(), **(versions or {})},
        "data": data,
        "piece_digests": listed_once(trained_on or {}, data),
        "training": training,
        "scores": scores,
    }
    contents = {
        CONFIG: canonical(config),
        WEIGHTS: pack(Weights(tensors, {"format": CONFIG_FORMAT})),
        CARD: card(config).encode(),
    }
    with new_folder(place) as folder:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        if sample is not None:
            sample.write(folder / SAMPLE)
            contents[SAMPLE] = (folder / SAMPLE).read_bytes()
        (folder / MANIFEST).write_bytes(manifest(contents))
        for file in own:
            _keep(file, folder / file.name)


@dataclass(frozen=True)
class Bundle:
    """What a bundle holds.

    Attributes:
        model: the model, on the CPU, exactly as it was saved.
        record: how it came about, as `save_bundle` takes it: `scores`, `data`, `training`, `versions`,
            `sources` and `trained_on`, those that are known.
    """

    model: Model
    record: Mapping[str, Any]


def load_bundle(path: str | Path) -> Model:
    """The model in a bundle; see `open_bundle`."""
    return open_bundle(path).model


def open_bundle(path: str | Path, *, local: bool = False) -> Bundle:
    """Read a bundle.

    Args:
        path: the folder, the run that contains it, or the name of a pretrained model.
        local: whether code in files that the bundle names may be run.

    Raises:
        BundleError: it is missing, damaged, changed, from a newer version, or made of parts that are
            not here; with all that was found at that stage.
    """
    place = bundle_folder(path)
    if not place.is_dir():
        raise BundleError(Problem("there is no bundle of this name", str(place), _meant(place)))
    contents = read_bundle(place)
    config = parsed(contents[CONFIG], place / CONFIG)
    with _located(place):
        kept = located(config.get("recipe"), config.get("code"), place)
        recipe = Recipe.from_json(kept, open_registry(local=local), keys=GridKeys)
        expected = outline(recipe)
    if expected is not None:
        check_shapes(place / WEIGHTS, expected)
    weights = read_weights(place / WEIGHTS, "weights")
    check_format(weights.about.get("format"), CONFIG_FORMAT, str(place / WEIGHTS))
    with _located(place):
        model = build(recipe)
    restore(model, weights.tensors, str(place / WEIGHTS))
    return Bundle(model.eval(), _record(config))


@contextmanager
def _located(place: Path) -> Iterator[None]:
    """What is wrong with parts, as problems of the bundle that needs them."""
    try:
        yield
    except ZooError as error:
        raise BundleError(*(_inside(place, problem) for problem in error.problems)) from error


def _record(config: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: config.get(name) for name in ("scores", "data", "training", "versions", "parts")}
    record = {name: found for name, found in known.items() if isinstance(found, dict)}
    parts = record.pop("parts", {}).items()
    sources = {slot: part["source"] for slot, part in parts if isinstance(part, dict) and part.get("source")}
    return {**record, "sources": sources, "trained_on": read_trained_on(config)}


def _config(
    model: Model, sources: Mapping[Slot, str], trained_on: Mapping[Slot, Sequence[Music]]
) -> dict[str, Any]:
    recipe = replace(model.recipe, sections={}, keys=GridKeys()).on_grid(model.grid)
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


def _part(model: Model, slot: Slot, source: str | None, trained_on: Sequence[Music]) -> dict[str, Any]:
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


def _own_files(place: Path) -> list[Path]:
    """Other files in the folder of a bundle that is to be replaced."""
    if not place.exists():
        with writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
        return []
    inside = {child.name: child for child in place.iterdir()} if place.is_dir() else {"": place}
    if inside and MANIFEST not in inside:
        raise UsageError(
            Problem("is there and is not a bundle", str(place), "name a folder that is not there yet")
        )
    return [child for name, child in inside.items() if name not in (*FILES, MANIFEST)]


def _keep(file: Path, place: Path) -> None:
    """The same file under another name, so that nothing is lost whatever happens in between."""
    if file.is_dir() and not file.is_symlink():
        shutil.copytree(file, place, symlinks=True, copy_function=os.link)
    else:
        os.link(file, place, follow_symlinks=False)


def _meant(place: Path) -> str:
    if place.suffix in (".pt", ".pth"):
        return "weights of the original system are read by `zoo import MODEL.pt DECODER.pt -o BUNDLE`"
    names = ", ".join(pretrained_names())
    return f"give a folder that `zoo train` or `zoo build -o` wrote, or a pretrained model: {names}"


def _inside(place: Path, problem: Problem) -> Problem:
    return replace(problem, where=f"{place}: {problem.where}" if problem.where else str(place))
