"""The plan of a run: its recipe, music, settings and seed, which must not change when it is resumed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

import zoo
from zoo.errors import BundleError, Problem, UsageError
from zoo.limits import read_bytes
from zoo.model.config import Count, Grid, StoredMusic, StrictModel, check_fields
from zoo.model.format import check_format
from zoo.model.pretrained import RECIPE
from zoo.model.provenance import Origin, pieces_of, shared_pieces, with_short_lists, without_pieces
from zoo.model.sealed import damaged, parsed
from zoo.music.grid import GRID
from zoo.parts import SLOTS, Slot
from zoo.registry import Recipe
from zoo.registry.fields import live
from zoo.registry.registry import names_file
from zoo.registry.values import write_value
from zoo.registry.words import Word, stored_words
from zoo.train.settings import BUDGETS, LEGACY, TrainSettings

if TYPE_CHECKING:
    from zoo.data import Corpus

FORMAT = 1
MUSIC = ("data", "family", "grid", "pedal")
"""Keys that say which music is read, and how."""
RANKS = "number of ranks"
"""The key of a plan's number of processes in messages."""


class _Part(StrictModel):
    name: str
    version: str
    sha256: str = ""
    state_version: int
    settings: dict[str, Any]


class _Music(StrictModel):
    name: str
    digest: str
    grid: Grid = GRID


class _Origin(StrictModel):
    source: str
    weights: str
    trained_on: list[StoredMusic]


class _Train(StrictModel):
    minutes: float | None = None
    steps: Count | None = None
    patience: Count | Literal["auto"]
    validate_every: Count


class _Plan(StrictModel):
    words: str
    folder: str | None = None
    parts: dict[str, _Part]
    train: _Train
    data: _Music
    seed: int
    ranks: Count = 1
    continued: bool = False
    origins: dict[str, _Origin] = Field(default_factory=dict)
    piece_digests: dict[str, list[str]] = Field(default_factory=dict)
    validation_digests: dict[str, list[str]] = Field(default_factory=dict)


def plan(
    recipe: Recipe,
    corpus: Corpus,
    settings: TrainSettings,
    seed: int,
    origins: Mapping[Slot, Origin] | None = None,
    ranks: int = 1,
) -> dict[str, Any]:
    """Everything that the weights of a run depend on, and its recipe as text, as JSON."""
    content = {
        "format": FORMAT,
        "polyzoo": zoo.__version__,
        "words": str(recipe),
        "folder": str(Path.cwd()),
        "parts": recipe.to_json()["parts"],
        "train": settings.model_dump(mode="json"),
        "data": {"name": corpus.name, "digest": corpus.digest, "grid": corpus.grid},
        "seed": seed,
        **({"ranks": ranks} if ranks > 1 else {}),
        "continued": False,
        "origins": {slot: _origin_to_json(origin) for slot, origin in (origins or {}).items()},
        **shared_pieces({slot: o.trained_on for slot, o in (origins or {}).items()}, None),
    }
    return with_short_lists(content)


def _origin_to_json(origin: Origin) -> dict[str, Any]:
    return {**asdict(origin), "trained_on": without_pieces(origin.trained_on)}


def read_plan(folder: Path) -> dict[str, Any] | None:
    """Read the plan of a run folder; None if it contains no run.

    Raises:
        BundleError: the plan is damaged, or from a newer version.
    """
    path = folder / RECIPE
    if not path.is_file():
        return None
    try:
        plan = parsed(read_bytes(path, "plan"), path)
    except OSError as error:
        raise BundleError(damaged(f"cannot be read: {error.strerror}", str(path))) from error
    check_format(plan.get("format", 1), FORMAT, str(path), plan.get("polyzoo"))
    check_fields(plan, _Plan, path)
    return {"origins": {}, **plan, "train": {**LEGACY, **plan["train"]}}


def plan_origins(plan: Mapping[str, Any]) -> dict[Slot, Origin]:
    """The origins of the initial weights of a run, by slot; empty if they were random."""
    return {
        slot: Origin(
            origin["source"],
            origin["weights"],
            tuple({**music, **pieces_of(plan, music["digest"])} for music in origin["trained_on"]),
        )
        for slot, origin in plan["origins"].items()
    }


def plan_words(plan: Mapping[str, Any], folder: Path) -> list[Word]:
    """The words that a run was started with.

    They are marked as read from a file: a file of code that they name is not run without the user's consent.

    Raises:
        BundleError: the words are damaged, or name a file of code whose version was not stored.
    """
    path, parts = folder / RECIPE, plan["parts"]
    versions = {
        slot: part.get("sha256") or part["version"]
        for slot, part in parts.items()
        if names_file(part["name"])
    }
    try:
        words = stored_words(plan["words"], versions, str(path))
    except UsageError as error:
        raise BundleError(*(damaged(problem.what, str(path)) for problem in error.problems)) from None
    if any(word.key in SLOTS and names_file(word.text) and not word.version for word in words):
        raise BundleError(damaged("its words contradict its parts", str(path)))
    words = [from_folder(word, plan.get("folder")) for word in words]
    return [*words, *_unsaid(plan["train"], {word.key for word in words}, str(path))]


def from_folder(word: Word, folder: Any) -> Word:
    """The word, with a relative path of music as it leads from the folder that the run was started in."""
    from zoo.data.folder import split_tracks
    from zoo.data.opening import is_named

    if word.key not in ("data", "family") or not isinstance(folder, str) or Path.cwd() == Path(folder):
        return word
    place = f"{folder}{os.sep}{word.text}"
    is_path = word.text and not is_named(word.text) and Path(split_tracks(place)[0]).exists()
    return replace(word, text=place) if is_path else word


def _unsaid(train: Mapping[str, Any], given: Collection[str], path: str) -> Iterator[Word]:
    """All other training settings, since defaults and what the parts propose may have changed."""
    for name, field in TrainSettings.model_fields.items():
        key, value = f"train.{name}", train.get(name, field.default)
        if key not in given and not (key in BUDGETS and value is None):
            yield Word(key, write_value(value), path)


def merge_words(stored: Sequence[Word], typed: Sequence[str]) -> list[Word | str]:
    """Merge the stored words of a run with words that were typed to resume it.

    Typed training settings replace stored ones, and so does typed music, which must be the same. A file of
    code that is typed again is thereby trusted, if it is unchanged since the run was started. With any other
    typed words, the stored ones are ignored.
    """
    files = {word.key: word for word in stored if word.key in SLOTS and names_file(word.text)}
    pairs = [word.partition("=")[::2] for word in typed]
    trusted = [
        replace(files[key], text=text, origin="") for key, text in pairs if key in files and names_file(text)
    ]
    train = [word for word in typed if word.startswith("train.") or word.partition("=")[0] in MUSIC]
    if len(trusted) + len(train) < len(typed):
        return list(typed)
    keys = {word.partition("=")[0] for word in train}
    # Budgets exclude each other, so a new one replaces any other.
    replaced = {*keys, *(BUDGETS if keys & BUDGETS else ()), *(word.key for word in trusted)}
    return [*(word for word in stored if word.key not in replaced), *trusted, *train]


def differences(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[Problem]:
    """The differences between two plans that prevent resuming a run; one for each changed setting.

    Of a part that was replaced by another, only the name is listed, not its settings. The budget, the device
    and the name of the music may change.
    """
    before, after = dict(_flatten(stored)), dict(_flatten(current))
    replaced = tuple(f"{slot}." for slot in SLOTS if before.get(slot) != after.get(slot))
    return [
        Problem(
            f"is now {after.get(key, 'not set')}, but the run was started with {before.get(key, 'none')}",
            key,
            _hint(key, before[key]) if key in before else "",
        )
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) and not key.startswith(replaced)
    ]


def is_continued(stored: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Whether the budget or the patience of a run changed when it was resumed, now or earlier.

    Such a run may have other weights than one that had the last budget from its start.
    """
    names = ("patience", *(key.removeprefix("train.") for key in BUDGETS))
    changed = any(stored["train"].get(name) != current["train"].get(name) for name in names)
    return changed or stored.get("continued", False)


def _hint(key: str, before: Any) -> str:
    """How to resolve a difference."""
    if key == RANKS:
        return f"start it with torchrun --nproc-per-node {before} --no-python zoo train ..."
    if key == "the music":
        return (
            "to continue, omit data= and restore the music: a file may be new, such as generated music, or "
            "renamed; zoo train @RUN data=NEW -o NEW_RUN trains the model on other music"
        )
    return ""


def _flatten(plan: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries of a plan that must not change, as (key, value)."""
    for slot, part in plan["parts"].items():
        # What identifies the weights: for a package its state version, for a file its content, not its path.
        identity = "version" if names_file(part["name"]) else "state_version"
        yield slot, part["name"].rpartition(":")[2] if names_file(part["name"]) else part["name"]
        yield from ((f"{slot}.{name}", value) for name, value in part["settings"].items())
        yield f"{slot}.{identity}", part[identity]
    for name, value in plan["train"].items():
        field = TrainSettings.model_fields.get(name)
        if field is None or not live(field):
            yield f"train.{name}", value
    yield "the music", plan["data"]["digest"][:12]
    yield "seed", plan["seed"]
    yield RANKS, plan.get("ranks", 1)
    yield from (
        (f"initial weights of the {slot}", origin["weights"][:12])
        for slot, origin in plan.get("origins", {}).items()
    )
