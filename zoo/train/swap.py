"""Trained parts in a recipe: `core=@RUN_A decoder=@RUN_B velocity=@RUN_C`, read without torch.

`@RUN_A` or `@bach` alone is a whole model: a core, with the decoder and the velocity that come along with it.

The terms of the loss share no parameter. The core (attention and sampler) learns codes, the decoder keys
given the true codes, velocity loudness given the struck keys. So a decoder or a velocity fits every core
that uses the same codes, that is, the same encoder with the same settings. The core brings its
encoder along, with what was counted for the residual.

A slot that is not named is that of the core; without a core, the encoder is that of the part that was
trained on it and the rest are defaults, untrained.
"""

from __future__ import annotations

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
"""What is taken from a run together, by how it is named."""


@dataclass(frozen=True)
class Swap:
    """A recipe whose parts may be trained already.

    Attributes:
        recipe: all five parts.
        sources: slot -> who brings the weights; the other parts are untrained.
    """

    recipe: Recipe
    sources: Mapping[Slot, Trained]

    @property
    def names(self) -> dict[Slot, str]:
        """What the sources are called, by slot."""
        return {slot: source.name for slot, source in self.sources.items()}

    @property
    def trained_on(self) -> dict[Slot, tuple[MusicRecord, ...]]:
        """All music that each trained part was trained on, by slot, oldest first."""
        return {slot: source.trained_on.get(slot, ()) for slot, source in self.sources.items()}


@dataclass(frozen=True)
class _Taken:
    """A trained part.

    Attributes:
        word: how its source was named, such as `core=@RUN`.
        source: the run or bundle.
        choice: the part itself.
        encoder: whose codes it was trained on.
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
    """Read a recipe in which `@FOLDER` may stand for a trained part; without one it is any recipe.

    Args:
        words: as typed, or one string of them.
        registry: where parts are looked up.
        sections: what the command allows as `section.setting=value`.
        keys: what the command allows as `key=value`.

    Raises:
        UsageError: the words cannot be meant, or parts do not fit; holds every problem that was found.
        BundleError: nothing is wrong but a source, which is missing, damaged, or made of parts that are
            not here.
        PluginError: nothing is wrong but a plugin.
    """
    typed = [_spelled_out(word) for word in split(words)]
    named = [word for word in typed if isinstance(word, str) and _names_source(word)]
    rest = [word for word in typed if word not in named]
    if not named:
        return Swap(parse_recipe(rest, registry, sections=sections, keys=keys), {})
    given = read_words(rest, registry.menu).given
    faults: list[ZooError] = []
    sources = _open(named, given, faults)
    taken = _take(sources, any(_head(word) == "core" for word in named), given, registry, faults)
    # The settings of a source that cannot be read are unknown.
    unclear = SLOTS if faults else ()
    faults += map(UsageError, _kept(taken, given))
    faults += map(UsageError, _other_grids(taken, given))
    if "encoder" in taken:
        faults += map(UsageError, _strangers(taken, taken["encoder"].choice))
    others = [word for word in rest if _head(word) not in (*taken, *unclear)]
    try:
        every = [*others, *_words(taken, given)]
        recipe = parse_recipe(every, registry, sections=sections, keys=keys)
        if "encoder" not in taken and not unclear:
            faults += map(UsageError, _strangers(taken, recipe.parts["encoder"]))
    except ZooError as error:
        faults.append(error)
    raise_all(faults)
    grid = next(iter(taken.values())).source.grid
    return Swap(recipe.on_grid(grid), {slot: taken[slot].source for slot in SLOTS if slot in taken})


def _spelled_out(word: str | Word) -> str | Word:
    """`core=@BUNDLE` for `@BUNDLE`: a folder or a pretrained model, not a file of settings."""
    is_folder = isinstance(word, str) and word.startswith("@") and bundle_folder(word[1:]).is_dir()
    return f"core={word}" if is_folder else word


def _head(word: str | Word) -> str:
    key = word.partition("=")[0] if isinstance(word, str) else word.key
    return key.partition(".")[0]


def _names_source(word: str) -> bool:
    key, sign, text = word.partition("=")
    return bool(sign) and (key == "core" or (key in SLOTS and text.startswith("@")))


def _open(
    named: Iterable[str], given: Mapping[str, Word], faults: list[ZooError]
) -> dict[str, tuple[str, Trained]]:
    """What is taken -> the word that says so, and the run or bundle."""
    found: dict[str, tuple[str, Trained]] = {}
    seen = {word.key: str(word) for word in given.values() if not word.origin}
    for word in named:
        key, _, text = word.partition("=")
        problem = _misnamed(key, text, seen)
        seen[key] = word
        if problem is not None:
            faults.append(UsageError(problem))
            continue
        path = Path(text[1:])
        try:
            found[key] = word, open_trained(path)
        except BundleError as error:
            faults.append(_under(word, error, path))
    return found


def _misnamed(key: str, text: str, seen: Mapping[str, str]) -> Problem | None:
    word = f"{key}={text}"
    if key not in TAKEN:
        what = "encoder, attention and sampler were trained as one core and are taken together"
        return Problem(what, word, f"write core={text}, or name an untrained {key}")
    if not text.startswith("@") or text == "@":
        return Problem(f"a {key} is taken from a run or a bundle", word, f"write {key}=@FOLDER")
    if key in seen:
        return Problem(f"{key} is given twice", f"{seen[key]} and {word}", "keep one of them")
    return None


def _take(
    sources: Mapping[str, tuple[str, Trained]],
    core_named: bool,
    given: Mapping[str, Word],
    registry: Registry,
    faults: list[ZooError],
) -> dict[Slot, _Taken]:
    """Every trained part, those included that come along unnamed."""
    wanted = {slot: sources[key] for key in sources for slot in TAKEN[key]}
    if "core" in sources:
        unnamed: tuple[Slot, ...] = ("decoder", "velocity")
        wanted |= {slot: sources["core"] for slot in unnamed if slot not in (*wanted, *given)}
    elif sources and not core_named and "encoder" not in given:
        wanted["encoder"] = next(iter(sources.values()))
    taken: dict[Slot, _Taken] = {}
    for slot, (word, source) in wanted.items():
        try:
            choice, encoder = (source.choice(which, registry) for which in (slot, "encoder"))
            taken[slot] = _Taken(word, source, choice, encoder)
        except BundleError as error:
            faults.append(_under(word, error, source.path))
    return taken


def _under(word: str, error: BundleError, path: Path) -> BundleError:
    """The error with the word that led there."""
    return BundleError(
        *(replace(p, where=word if p.where == str(path) else f"{word}: {p.where}") for p in error.problems)
    )


def _kept(taken: Mapping[Slot, _Taken], given: Mapping[str, Word]) -> Iterator[Problem]:
    """Words that would make another part of one that is trained."""
    for word in given.values():
        slot = next((slot for slot in taken if slot == (word.head or word.key)), None)
        if slot is None:
            continue
        part = taken[slot]
        fields = type(part.choice.settings).model_fields
        changeable = [f"{slot}.{name}" for name, field in fields.items() if live(field)]
        if not word.head and slot not in TAKEN:
            yield Problem(f"the {slot} comes with {part.word}", str(word), "leave out one of the two")
        elif word.head and word.name in fields and word.key not in changeable:
            value = write_value(getattr(part.choice.settings, word.name))
            what = f"the {slot} of {part.source.name} was trained with {word.key}={value} and keeps it"
            hint = f"what may be changed is {', '.join(changeable)}" if changeable else "leave it out"
            yield Problem(what, str(word), hint)


def _other_grids(taken: Mapping[Slot, _Taken], given: Mapping[str, Word]) -> Iterator[Problem]:
    """Parts that were trained on another grid than the others, or than the user asks for."""
    grids = {part.source.name: part.source.grid for part in taken.values()}
    hint = "take parts that were trained on one grid"
    if len(set(grids.values())) > 1:
        listed = ", ".join(f"{name} {grid}" for name, grid in grids.items())
        yield Problem(
            f"their music has different numbers of frames to a quarter note: {listed}", "grid", hint
        )
    elif grids and "grid" in given and given["grid"].text != str(next(iter(grids.values()))):
        name, grid = next(iter(grids.items()))
        yield Problem(f"{name} was trained on {grid} frames to a quarter note", str(given["grid"]), hint)


def _strangers(taken: Mapping[Slot, _Taken], encoder: Choice) -> Iterator[Problem]:
    """Parts that were trained on other codes than those of the model they would come to."""
    here = _spelled("encoder", encoder, only_trained=True)
    if "attention" in taken:
        owner = f"the core of {taken['attention'].source.name} on"
    elif "encoder" in taken:
        owner = f"the encoder of {taken['encoder'].source.name} is"
    else:
        owner = "the encoder here is"
    for slot in ("decoder", "velocity"):
        if slot not in taken:
            continue
        part = taken[slot]
        theirs = _spelled("encoder", part.encoder, only_trained=True)
        if theirs != here:
            what = f"the {slot} of {part.source.name} was trained on {' '.join(theirs)}, "
            hint = f"take a {slot} that was trained on {' '.join(here)}, or leave it out"
            yield Problem(f"{what}{owner} {' '.join(here)}", part.word, hint)


def _spelled(slot: Slot, choice: Choice, *, only_trained: bool = False) -> list[str]:
    """A part and all of its settings as words; or without those that may be changed after training."""
    fields = type(choice.settings).model_fields
    wanted = [name for name, field in fields.items() if not (only_trained and live(field))]
    settings = [f"{slot}.{name}={write_value(getattr(choice.settings, name))}" for name in wanted]
    return [f"{slot}={choice.entry.portable}", *settings]


def _words(taken: Mapping[Slot, _Taken], given: Mapping[str, Word]) -> Iterator[str]:
    """The trained parts in words, with the live settings that were typed in place of theirs."""
    for slot, part in taken.items():
        fields = type(part.choice.settings).model_fields
        typed = {
            key: f"{key}={word.text}"
            for key, word in given.items()
            if word.head == slot and (word.name not in fields or live(fields[word.name]))
        }
        kept = {word.partition("=")[0]: word for word in _spelled(slot, part.choice)}
        yield from {**kept, **typed}.values()
