"""Parse words into a recipe: `decoder=rbm decoder.hidden=20 train.lr=0.01 data=bach`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from zoo.errors import PluginError, UsageError, ZooError
from zoo.parts import SLOTS, Settings
from zoo.registry.compatibility import Choice, guarded_part, incompatibilities
from zoo.registry.consent import default_word, named_part
from zoo.registry.entry import Entry
from zoo.registry.fields import check
from zoo.registry.hints import Models, bare_words, unknown_key, unknown_setting
from zoo.registry.recipe import Recipe
from zoo.registry.registry import Registry
from zoo.registry.values import read_value
from zoo.registry.words import Word, read_words, split

TRAINING = "train"
"""The section of the training settings, which a named recipe or a file may contain for every command."""


def parse_recipe(
    words: str | Iterable[str | Word],
    registry: Registry,
    *,
    sections: Models | None = None,
    keys: type[Settings] = Settings,
) -> Recipe:
    """Parse a recipe and validate everything that does not need torch.

    Args:
        words: the words as typed, or one string of them; a `Word` has an origin, such as the file of a run.
        registry: where to look up parts.
        sections: settings classes for `section.setting=value`, by section.
        keys: settings class for `key=value`; the values are in `recipe.values["key"]`.

    Raises:
        UsageError: the words are invalid; holds all problems.
        PluginError: the words are valid, but a plugin is missing, broken or ambiguous.
    """
    parsed = read_words(split(words), registry.menu)
    problems = [*parsed.problems, *bare_words(parsed.bare, registry.shipped_entries(), registry.menu.recipes)]
    # Every step works with what the step before could resolve and adds its errors, so that one run of a
    # command shows all of them.
    errors: list[ZooError] = [UsageError(problem) for problem in problems]
    entries = _choose(parsed.given, registry, errors)
    models = {
        **{slot: entry.load_settings() for slot, entry in entries.items()},
        **(sections or {}),
        "": keys,
    }
    words = _by_head(models, parsed.given, entries, registry, errors)
    settings = _check(models, words, entries, errors)
    # Whether parts fit together can only be checked if all of them are known.
    if all(slot in entries and slot in settings for slot in SLOTS):
        parts = {slot: Choice(entries[slot], settings[slot]) for slot in SLOTS}
        errors += incompatibilities(parts)
    raise_all(errors)
    return Recipe(parts, {name: settings[name] for name in sections or {}}, settings[""])


def raise_all(errors: Iterable[ZooError]) -> None:
    """Raise all errors, if any, as one; it is a UsageError if one of them is."""
    errors = list(errors)
    problems = dict.fromkeys(problem for error in errors for problem in error.problems)
    if any(isinstance(error, UsageError) for error in errors):
        raise UsageError(*problems)
    if errors:
        raise type(errors[0])(*problems)


def _choose(given: Mapping[str, Word], registry: Registry, errors: list[ZooError]) -> dict[str, Entry]:
    """The part of each slot, without the slots whose part cannot be found."""
    entries: dict[str, Entry] = {}
    for slot in SLOTS:
        word = given.get(slot) or default_word(slot, registry)
        try:
            entries[slot] = named_part(slot, word, registry)
        except ZooError as error:
            errors.append(error if not word.origin else _with_origin(error, word))
    return entries


def _with_origin(error: ZooError, word: Word) -> ZooError:
    """The error, located at the recipe or file that contains the word instead of at the word itself."""
    text = f"{word.key}={word.text}"
    return type(error)(*(replace(p, where=str(word)) if p.where == text else p for p in error.problems))


def _by_head(
    models: Models,
    given: Mapping[str, Word],
    entries: Mapping[str, Entry],
    registry: Registry,
    errors: list[ZooError],
) -> dict[str, dict[str, Word]]:
    """Words by part or section, then by setting; unknown settings are added to the errors."""
    by_head: dict[str, dict[str, Word]] = {head: {} for head in models}
    for word in given.values():
        head = word.head
        if word.key in SLOTS or (head in SLOTS and head not in entries):
            continue  # the slot itself, or a setting of a part that is already reported as unknown
        if head == TRAINING and head not in models and word.origin:
            continue  # a recipe may contain training settings, which commands such as `zoo build` ignore
        if head in models and word.name in models[head].model_fields:
            by_head[head][word.name] = word
        elif head and head in models:
            owner = f"{head}={entries[head].name}" if head in entries else head
            errors.append(UsageError(unknown_setting(word, owner, models, registry.shipped_entries())))
        else:
            errors.append(UsageError(unknown_key(word, entries.values(), models)))
    return by_head


def _check(
    models: Models,
    words: Mapping[str, Mapping[str, Word]],
    entries: Mapping[str, Entry],
    errors: list[ZooError],
) -> dict[str, Any]:
    """The settings of every part and section; problems are added to the errors."""
    settings = {}
    for head, model in models.items():
        fields = model.model_fields
        values = {name: read_value(word.text, fields[name].annotation) for name, word in words[head].items()}
        written = {name: str(word) for name, word in words[head].items()}
        try:
            with guarded_part(entries[head], "settings") if head in entries else nullcontext():
                checked = check(model, values, head, written)
        except PluginError as error:
            errors.append(error)
            continue
        errors += [UsageError(problem) for problem in checked.problems]
        if not checked.problems:
            settings[head] = checked.settings
    return settings
