"""The plan of a run: what is trained on what. A run is resumed with the plan it was begun with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo
from zoo.errors import BundleError, Problem, UsageError
from zoo.limits import read_bytes
from zoo.model.format import check_format
from zoo.model.pretrained import RECIPE
from zoo.model.provenance import Origin, pieces_of, shared_pieces, without_pieces
from zoo.model.sealed import damaged, parsed
from zoo.parts import SLOTS, Slot
from zoo.registry import Recipe
from zoo.registry.fields import live
from zoo.registry.registry import names_file
from zoo.registry.values import write_value
from zoo.registry.words import Word, stored_words
from zoo.train.settings import BEFORE, BUDGETS, TrainSettings

if TYPE_CHECKING:
    from zoo.data import Corpus

FORMAT = 1
RANKS = "number of ranks"
"""The key of a plan's number of processes in messages."""


def plan(
    recipe: Recipe,
    corpus: Corpus,
    settings: TrainSettings,
    seed: int,
    origins: Mapping[Slot, Origin] | None = None,
    ranks: int = 1,
) -> dict[str, Any]:
    """Everything that the weights of a run depend on, and the words to say it again, ready for JSON."""
    return {
        "format": FORMAT,
        "polyzoo": zoo.__version__,
        "words": str(recipe),
        "parts": recipe.to_json()["parts"],
        "train": settings.model_dump(mode="json"),
        "data": {"name": corpus.name, "digest": corpus.digest, "grid": corpus.grid},
        "seed": seed,
        **({"ranks": ranks} if ranks > 1 else {}),
        "origins": {slot: _origin_to_json(origin) for slot, origin in (origins or {}).items()},
        "piece_digests": shared_pieces({slot: o.trained_on for slot, o in (origins or {}).items()}, None),
    }


def _origin_to_json(origin: Origin) -> dict[str, Any]:
    return {**asdict(origin), "trained_on": without_pieces(origin.trained_on)}


def begun_plan(folder: Path) -> dict[str, Any] | None:
    """The plan of the run in a folder; None where no run was begun.

    Raises:
        BundleError: the file that says so is damaged, or from a newer version.
    """
    path = folder / RECIPE
    if not path.is_file():
        return None
    try:
        begun = parsed(read_bytes(path, "plan"), path)
    except OSError as error:
        raise BundleError(damaged(f"cannot be read: {error.strerror}", str(path))) from error
    check_format(begun.get("format", 1), FORMAT, str(path), begun.get("polyzoo"))
    try:
        begun = {"origins": {}, **begun, "train": {**BEFORE, **begun["train"]}}
        dict(_flat(begun))
        begun_origins(begun)
        known = isinstance(begun["words"], str)
    except (KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise BundleError(damaged("does not describe a run", str(path)))
    return begun


def begun_origins(begun: Mapping[str, Any]) -> dict[Slot, Origin]:
    """Where the weights that a run began with came from, by slot; empty where it began with new ones."""
    return {
        slot: Origin(
            origin["source"],
            origin["weights"],
            tuple({**music, **pieces_of(begun, music["digest"])} for music in origin["trained_on"]),
        )
        for slot, origin in begun["origins"].items()
    }


def begun_words(begun: Mapping[str, Any], folder: Path) -> list[Word]:
    """The words that a run was begun with; they come from a file, so naming code in them is no consent.

    Raises:
        BundleError: they are damaged, or name a file of code whose version was not kept.
    """
    path, parts = folder / RECIPE, begun["parts"]
    versions = {slot: part["version"] for slot, part in parts.items() if names_file(part["name"])}
    try:
        words = stored_words(begun["words"], versions, str(path))
    except UsageError as error:
        raise BundleError(*(damaged(problem.what, str(path)) for problem in error.problems)) from None
    if any(word.key in SLOTS and names_file(word.text) and not word.version for word in words):
        raise BundleError(damaged("its words and its parts contradict each other", str(path)))
    return [*words, *_omitted(begun["train"], {word.key for word in words}, str(path))]


def _omitted(train: Mapping[str, Any], given: Collection[str], path: str) -> Iterator[Word]:
    """Settings of training that were the default when a run was begun, and no longer are."""
    for name, field in TrainSettings.model_fields.items():
        key, value = f"train.{name}", train.get(name, field.default)
        if key not in given and value != field.default:
            yield Word(key, write_value(value), path)


def typed_over(begun: Sequence[Word], typed: Sequence[str]) -> list[Word | str]:
    """The words of a run with what may be typed when it goes on: how to train, and its files of code by name.

    A file that is named again is agreed to, if it is still the file that the run was begun with. Words that
    say more stand for themselves.
    """
    known = {word.key: word for word in begun if word.key in SLOTS and names_file(word.text)}
    pairs = [word.partition("=")[::2] for word in typed]
    again = [replace(known[k], text=text, origin="") for k, text in pairs if k in known and names_file(text)]
    train = [word for word in typed if word.startswith("train.")]
    if len(again) + len(train) < len(typed):
        return list(typed)
    keys = {word.partition("=")[0] for word in train}
    replaced = {*keys, *(BUDGETS if keys & BUDGETS else ()), *(word.key for word in again)}
    return [*(word for word in begun if word.key not in replaced), *again, *train]


def differences(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[Problem]:
    """What keeps a run from being resumed: each setting that has changed, of another part its name alone.

    How long to train and on which device may change, and so may the name of the same music.
    """
    before, after = dict(_flat(begun)), dict(_flat(now))
    exchanged = tuple(f"{slot}." for slot in SLOTS if before.get(slot) != after.get(slot))
    return [
        Problem(
            f"is {after.get(key, 'not set')} now, the run was begun with {before.get(key, 'none')}",
            key,
            f"start it with torchrun --nproc-per-node {before[key]}" if key == RANKS else "",
        )
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) and not key.startswith(exchanged)
    ]


def _flat(plan: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for slot, part in plan["parts"].items():
        # Of a package the state version decides the weights, of a file its content, wherever it lies.
        decisive = "version" if names_file(part["name"]) else "state_version"
        yield slot, part["name"].rpartition(":")[2] if names_file(part["name"]) else part["name"]
        yield from ((f"{slot}.{name}", value) for name, value in part["settings"].items())
        yield f"{slot}.{decisive}", part[decisive]
    for name, value in plan["train"].items():
        field = TrainSettings.model_fields.get(name)
        if field is None or not live(field):
            yield f"train.{name}", value
    yield "the music", plan["data"]["digest"][:12]
    yield "seed", plan["seed"]
    yield RANKS, plan.get("ranks", 1)
    yield from (
        (f"first weights of the {slot}", origin["weights"][:12])
        for slot, origin in plan.get("origins", {}).items()
    )
