"""From words to a recipe: `decoder=rbm decoder.hidden=20 train.lr=0.01 data=bach`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from zoo.errors import PluginError, UsageError, ZooError
from zoo.parts import SLOTS, Settings
from zoo.registry.consent import default_word, named_part
from zoo.registry.entry import Entry
from zoo.registry.fields import check
from zoo.registry.fit import Choice, answering, misfits
from zoo.registry.hints import Models, bare_words, unknown_key, unknown_setting
from zoo.registry.recipe import Recipe
from zoo.registry.registry import Registry
from zoo.registry.values import read_value
from zoo.registry.words import Word, read_words, split


def parse_recipe(
    words: str | Iterable[str | Word],
    registry: Registry,
    *,
    sections: Models | None = None,
    keys: type[Settings] = Settings,
) -> Recipe:
    """Read a recipe and check it as far as that needs no torch.

    Args:
        words: as typed, or one string of them; a `Word` says who brought it, as from the file of a run.
        registry: where parts are looked up.
        sections: what the command allows as `section.setting=value`.
        keys: what the command allows as `key=value`; read it as `recipe.values["key"]`.

    Raises:
        UsageError: the words cannot be meant; holds every problem that was found.
        PluginError: nothing is wrong but a plugin, which is missing, broken or ambiguous.
    """
    said = read_words(split(words), registry.menu)
    problems = [*said.problems, *bare_words(said.bare, registry.shipped_entries(), registry.menu.recipes)]
    faults: list[ZooError] = [UsageError(problem) for problem in problems]
    entries = _choose(said.given, registry, faults)
    models = {
        **{slot: entry.load_settings() for slot, entry in entries.items()},
        **(sections or {}),
        "": keys,
    }
    words = _by_head(models, said.given, entries, registry, faults)
    settings = _check(models, words, entries, faults)
    if all(slot in entries and slot in settings for slot in SLOTS):
        parts = {slot: Choice(entries[slot], settings[slot]) for slot in SLOTS}
        faults += misfits(parts)
    raise_all(faults)
    return Recipe(parts, {name: settings[name] for name in sections or {}}, settings[""])


def raise_all(faults: Iterable[ZooError]) -> None:
    """Raise everything that was found as one error, if anything was; a mistake of the user's goes first."""
    faults = list(faults)
    problems = dict.fromkeys(problem for fault in faults for problem in fault.problems)
    if any(isinstance(fault, UsageError) for fault in faults):
        raise UsageError(*problems)
    if faults:
        raise type(faults[0])(*problems)


def _choose(given: Mapping[str, Word], registry: Registry, faults: list[ZooError]) -> dict[str, Entry]:
    """The part of each slot; slots where that fails are left out."""
    found: dict[str, Entry] = {}
    for slot in SLOTS:
        word = given.get(slot) or default_word(slot, registry)
        try:
            found[slot] = named_part(slot, word, registry)
        except ZooError as error:
            faults.append(error if not word.origin else _brought(error, word))
    return found


def _brought(error: ZooError, word: Word) -> ZooError:
    """The error with the recipe or file that brought the word, which the user did not type."""
    said = f"{word.key}={word.text}"
    return type(error)(*(replace(p, where=str(word)) if p.where == said else p for p in error.problems))


def _by_head(
    models: Models,
    given: Mapping[str, Word],
    entries: Mapping[str, Entry],
    registry: Registry,
    faults: list[ZooError],
) -> dict[str, dict[str, Word]]:
    """Settings by part or section and name; those that nobody has go to the faults."""
    found: dict[str, dict[str, Word]] = {head: {} for head in models}
    for word in given.values():
        head = word.head
        if word.key in SLOTS or (head in SLOTS and head not in entries):
            continue
        if head in models and word.name in models[head].model_fields:
            found[head][word.name] = word
        elif head and head in models:
            owner = f"{head}={entries[head].name}" if head in entries else head
            faults.append(UsageError(unknown_setting(word, owner, models, registry.shipped_entries())))
        else:
            faults.append(UsageError(unknown_key(word, entries.values(), models)))
    return found


def _check(
    models: Models,
    words: Mapping[str, Mapping[str, Word]],
    entries: Mapping[str, Entry],
    faults: list[ZooError],
) -> dict[str, Any]:
    """The settings of every part and section; what is wrong with them goes to the faults."""
    found = {}
    for head, model in models.items():
        fields = model.model_fields
        values = {name: read_value(word.text, fields[name].annotation) for name, word in words[head].items()}
        written = {name: str(word) for name, word in words[head].items()}
        try:
            with answering(entries[head], "settings") if head in entries else nullcontext():
                checked = check(model, values, head, written)
        except PluginError as error:
            faults.append(error)
            continue
        faults += [UsageError(problem) for problem in checked.problems]
        if not checked.problems:
            found[head] = checked.settings
    return found
