"""Trained parts in a recipe: `core=@RUN_A decoder=@RUN_B velocity=@RUN_C`, parsed without torch.

`@RUN_A` or `@bach` alone stands for `core=@RUN_A`, a whole model: a core with its decoder and velocity.

The terms of the loss share no parameters: the core (attention and sampler) is trained on codes, the decoder
on keys given the true codes, and velocity on loudness given the struck keys. So a decoder or velocity can be
combined with any core that has the same codes, that is, the same encoder with the same settings. The encoder
comes with the core, including the counts of its residual.

Slots that are not named are taken from the core. Without a core, the encoder is taken from the part that was
trained with it, and all other slots have untrained defaults.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.errors import BundleError, Problem, UsageError, ZooError
from zoo.model.pretrained import bundle_folder
from zoo.model.provenance import MusicRecord
from zoo.parts import SLOTS, Slot
from zoo.parts.terms import SLOTS_OF
from zoo.registry import Choice, Recipe, Registry, parse_recipe
from zoo.registry.fields import live
from zoo.registry.hints import Models
from zoo.registry.parse import raise_all
from zoo.registry.recipe import GridKeys
from zoo.registry.values import write_value
from zoo.registry.words import Word, read_words, split
from zoo.train.trained import Trained, open_trained

TAKEN: dict[str, tuple[Slot, ...]] = {
    "core": ("encoder", *SLOTS_OF["core"]),
    "decoder": SLOTS_OF["decoder"],
    "velocity": SLOTS_OF["velocity"],
}
"""The slots that each key takes from a run."""


@dataclass(frozen=True)
class Swap:
    """A recipe with trained parts.

    Attributes:
        recipe: all five parts.
        sources: the run or bundle with the weights of each trained part; all other parts are untrained.
    """

    recipe: Recipe
    sources: Mapping[Slot, Trained]

    @property
    def names(self) -> dict[Slot, str]:
        """The names of the sources, by slot."""
        return {slot: source.name for slot, source in self.sources.items()}

    @property
    def trained_on(self) -> dict[Slot, tuple[MusicRecord, ...]]:
        """The music that each trained part was trained on, by slot, oldest first."""
        return {slot: source.trained_on.get(slot, ()) for slot, source in self.sources.items()}


@dataclass(frozen=True)
class _Taken:
    """A trained part.

    Attributes:
        word: the word that names its source, such as `core=@RUN`.
        source: the run or bundle.
        choice: the part and its settings.
        encoder: the encoder that it was trained with.
    """

    word: str
    source: Trained
    choice: Choice
    encoder: Choice


def parse_swap(
    words: str | Iterable[str | Word],
    registry: Registry,
    *,
    sections: Models | None = None,
    keys: type[GridKeys] = GridKeys,
) -> Swap:
    """Parse a recipe in which `@FOLDER` stands for trained parts; any other recipe is parsed as usual.

    Args:
        words: the words of the command line, or a string of them.
        registry: the registry of parts.
        sections: the settings that the command accepts as `section.setting=value`.
        keys: the settings that the command accepts as `key=value`.

    Raises:
        UsageError: words are invalid, or parts do not fit together; lists all problems.
        BundleError: the only problems are sources that are missing, damaged, or need missing parts.
        PluginError: the only problem is a plugin.
    """
    all_words = [expand(word) for word in split(words)]
    source_words = [word for word in all_words if isinstance(word, str) and names_source(word)]
    rest = [word for word in all_words if word not in source_words]
    if not source_words:
        return Swap(parse_recipe(rest, registry, sections=sections, keys=keys), {})
    given = read_words(rest, registry.menu).given
    errors: list[ZooError] = []
    sources = _open_sources(source_words, given, errors)
    has_core = any(_head(word) == "core" for word in source_words)
    taken = _take_parts(sources, has_core, given, registry, errors)
    # If a source cannot be read, its settings are unknown: words for the slots that it might fill are left
    # out, or they would be reported as wrong.
    unknown = SLOTS if errors else ()
    errors += map(UsageError, _changed_parts(taken, given))
    errors += map(UsageError, _different_grids(taken, given))
    if "encoder" in taken:
        errors += map(UsageError, _different_codes(taken, taken["encoder"].choice))
    other_words = [word for word in rest if _head(word) not in (*taken, *unknown)]
    try:
        recipe = parse_recipe([*other_words, *_words(taken, given)], registry, sections=sections, keys=keys)
        if "encoder" not in taken and not unknown:
            errors += map(UsageError, _different_codes(taken, recipe.parts["encoder"]))
    except ZooError as error:
        errors.append(error)
    raise_all(errors)
    grid = next(iter(taken.values())).source.grid
    return Swap(recipe.on_grid(grid), {slot: taken[slot].source for slot in SLOTS if slot in taken})


def expand(word: str | Word) -> str | Word:
    """Expand `@BUNDLE` to `core=@BUNDLE` if it is a folder or a pretrained model, not a file of settings."""
    is_folder = isinstance(word, str) and word.startswith("@") and bundle_folder(word[1:]).is_dir()
    return f"core={word}" if is_folder else word


def _head(word: str | Word) -> str:
    """The slot or section of a word: `decoder` of `decoder.hidden=4`."""
    key = word.partition("=")[0] if isinstance(word, str) else word.key
    return key.partition(".")[0]


def names_source(word: str) -> bool:
    """Whether a word names a run or bundle."""
    key, sign, text = word.partition("=")
    return bool(sign) and (key == "core" or (key in SLOTS and text.startswith("@")))


def _open_sources(
    source_words: Iterable[str], given: Mapping[str, Word], errors: list[ZooError]
) -> dict[str, tuple[str, Trained]]:
    """Open the runs and bundles; returns the word and the source for each key of `TAKEN`."""
    sources: dict[str, tuple[str, Trained]] = {}
    seen = {word.key: str(word) for word in given.values() if not word.origin}
    for word in source_words:
        key, _, text = word.partition("=")
        problem = _check_source_word(key, text, seen)
        seen[key] = word
        if problem is not None:
            errors.append(UsageError(problem))
            continue
        path = Path(text[1:])
        try:
            sources[key] = word, open_trained(path)
        except BundleError as error:
            errors.append(_with_word(word, error, path))
    return sources


def _check_source_word(key: str, text: str, seen: Mapping[str, str]) -> Problem | None:
    word = f"{key}={text}"
    if key not in TAKEN:
        what = "encoder, attention and sampler were trained together and can only be taken together"
        return Problem(what, word, f"use core={text}, or choose an untrained {key}")
    if not text.startswith("@") or text == "@":
        return Problem(f"a {key} must be taken from a run or bundle", word, f"use {key}=@FOLDER")
    if key in seen:
        return Problem(f"{key} is given twice", f"{seen[key]} and {word}", "remove one of them")
    return None


def _take_parts(
    sources: Mapping[str, tuple[str, Trained]],
    has_core: bool,
    given: Mapping[str, Word],
    registry: Registry,
    errors: list[ZooError],
) -> dict[Slot, _Taken]:
    """All trained parts, including those that are not named and come with the core."""
    source_of = {slot: sources[key] for key in sources for slot in TAKEN[key]}
    if "core" in sources:
        optional: tuple[Slot, ...] = ("decoder", "velocity")
        source_of |= {slot: sources["core"] for slot in optional if slot not in (*source_of, *given)}
    elif sources and not has_core and "encoder" not in given:
        source_of["encoder"] = next(iter(sources.values()))
    taken: dict[Slot, _Taken] = {}
    for slot, (word, source) in source_of.items():
        try:
            choice, encoder = source.choice(slot, registry), source.choice("encoder", registry)
            taken[slot] = _Taken(word, source, choice, encoder)
        except BundleError as error:
            errors.append(_with_word(word, error, source.path))
    return taken


def _with_word(word: str, error: BundleError, path: Path) -> BundleError:
    """The same error, located at the word that names the source."""
    return BundleError(
        *(replace(p, where=word if p.where == str(path) else f"{word}: {p.where}") for p in error.problems)
    )


def _changed_parts(taken: Mapping[Slot, _Taken], given: Mapping[str, Word]) -> Iterator[Problem]:
    """Problems with words that would replace a trained part or change its settings."""
    for word in given.values():
        slot = next((slot for slot in taken if slot == (word.head or word.key)), None)
        if slot is None:
            continue
        part = taken[slot]
        fields = type(part.choice.settings).model_fields
        changeable = [f"{slot}.{name}" for name, field in fields.items() if live(field)]
        if not word.head and slot not in TAKEN:
            yield Problem(f"the {slot} comes with {part.word}", str(word), "remove one of the two")
        elif word.head and word.name in fields and word.key not in changeable:
            value = write_value(getattr(part.choice.settings, word.name))
            what = f"the {slot} of {part.source.name} was trained with {word.key}={value}"
            if changeable:
                hint = f"remove this setting; only {', '.join(changeable)} can be changed after training"
            else:
                hint = "remove this setting; it cannot be changed after training"
            yield Problem(what, str(word), hint)


def _different_grids(taken: Mapping[Slot, _Taken], given: Mapping[str, Word]) -> Iterator[Problem]:
    """Problems with parts that were trained on different grids, or on another grid than the given one."""
    grids = {part.source.name: part.source.grid for part in taken.values()}
    hint = "use parts that were trained on the same grid"
    if len(set(grids.values())) > 1:
        listed = ", ".join(f"{name} {grid}" for name, grid in grids.items())
        what = f"the parts were trained with different numbers of frames per quarter note: {listed}"
        yield Problem(what, "grid", hint)
    elif grids and "grid" in given and given["grid"].text != str(next(iter(grids.values()))):
        name, grid = next(iter(grids.items()))
        yield Problem(f"{name} was trained on {grid} frames per quarter note", str(given["grid"]), hint)


def _different_codes(taken: Mapping[Slot, _Taken], encoder: Choice) -> Iterator[Problem]:
    """Problems with parts that were trained with another encoder than that of the model."""
    expected = _part_words("encoder", encoder, only_fixed=True)
    if "attention" in taken:
        subject = f"the core of {taken['attention'].source.name} with"
    elif "encoder" in taken:
        subject = f"the encoder of {taken['encoder'].source.name} is"
    else:
        subject = "the encoder of this recipe is"
    for slot in ("decoder", "velocity"):
        if slot not in taken:
            continue
        part = taken[slot]
        actual = _part_words("encoder", part.encoder, only_fixed=True)
        if actual != expected:
            what = f"the {slot} of {part.source.name} was trained with {' '.join(actual)}, "
            hint = f"use a {slot} that was trained with {shlex.join(expected)}, or an untrained one"
            yield Problem(f"{what}{subject} {' '.join(expected)}", part.word, hint)


def _part_words(slot: Slot, choice: Choice, *, only_fixed: bool = False) -> list[str]:
    """A part and its settings as words; with `only_fixed`, without live settings."""
    fields = type(choice.settings).model_fields
    names = [name for name, field in fields.items() if not (only_fixed and live(field))]
    settings = [f"{slot}.{name}={write_value(getattr(choice.settings, name))}" for name in names]
    return [f"{slot}={choice.entry.portable}", *settings]


def _words(taken: Mapping[Slot, _Taken], given: Mapping[str, Word]) -> Iterator[str]:
    """The trained parts as words, with the given live settings; unknown settings are kept to be reported."""
    for slot, part in taken.items():
        fields = type(part.choice.settings).model_fields
        changed = {
            key: f"{key}={word.text}"
            for key, word in given.items()
            if word.head == slot and (word.name not in fields or live(fields[word.name]))
        }
        trained = {word.partition("=")[0]: word for word in _part_words(slot, part.choice)}
        yield from {**trained, **changed}.values()
