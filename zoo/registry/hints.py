"""Hints for unknown names: similar names, and known names in the wrong place."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from zoo.errors import PluginError, Problem
from zoo.parts import SLOTS
from zoo.registry.entry import Entry, Plugin
from zoo.registry.words import Word

if TYPE_CHECKING:
    from zoo.parts import Settings

Models = Mapping[str, "type[Settings]"]
"""Settings classes by prefix: a slot, a section, or the empty string."""

FEW = 8
"""The maximum number of names to list; for more, the hint names the command that lists them."""


def closest(given: str, names: Iterable[str]) -> str:
    """The most similar name; empty if none is similar."""
    return next(iter(get_close_matches(given, list(names), n=1)), "")


def article(slot: str) -> str:
    """The slot with its article: "a decoder", "an encoder"."""
    return f"an {slot}" if slot[0] in "aeio" else f"a {slot}"


def _is_a(entry: Entry) -> str:
    return f"{entry.name} is {article(entry.slot)}: {entry.slot}={entry.name}"


def _listed(names: Sequence[str], otherwise: str) -> str:
    return ", ".join(names) if len(names) <= FEW else otherwise


def unknown_part(slot: str, name: str, entries: Sequence[Entry], plugins: Sequence[Plugin]) -> Problem:
    """The problem with an unknown part; the hint is the name in another slot, a similar name, or a list."""
    if name.startswith("@"):
        return trained_part(slot, name)
    here = [entry.name for entry in entries if entry.slot == slot]
    elsewhere = [_is_a(entry) for entry in entries if entry.name == name]
    if elsewhere:
        hint = "; ".join(dict.fromkeys(elsewhere))
    elif closest(name, here):
        hint = f"did you mean {slot}={closest(name, here)}"
    else:
        hint = f"choose from {_listed(sorted(set(here)), f'those that `zoo list {slot}` shows')}"
    unavailable = [plugin for plugin in plugins if plugin.health in ("off", "failed", "other api")]
    if unavailable:
        hint += "; not loaded: " + ", ".join(f"{plugin.source} ({plugin.health})" for plugin in unavailable)
        hint += ", see `zoo plugin list`"
    what = f"there is no {slot} with this name" if name else "the name of the part is missing"
    return Problem(what, f"{slot}={name}", hint)


def trained_part(key: str, name: str) -> Problem:
    """The problem with a part of a run or a bundle, `decoder=@RUN`, where parts must be untrained."""
    hint = f"combine trained parts with `zoo build {shlex.quote(f'{key}={name}')} -o BUNDLE`"
    return Problem("trained parts are not allowed here", f"{key}={name}", hint)


def bare_words(words: Sequence[str], entries: Sequence[Entry], recipes: Iterable[str]) -> list[Problem]:
    """The problems with words that lack an equals sign: `attention history`, `history`, `attention`."""
    problems = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in SLOTS and rest:
            name = rest.pop(0)
            hint = f"write {shlex.quote(f'{word}={name}')}"
            problems.append(Problem("missing equals sign", f"{word} {name}", hint))
        else:
            problems.append(
                Problem("neither key=value nor a recipe", word, _hint_for(word, entries, recipes))
            )
    return problems


def _hint_for(word: str, entries: Sequence[Entry], recipes: Iterable[str]) -> str:
    named = [_is_a(entry) for entry in entries if entry.name == word]
    if named:
        return "; ".join(named)
    if word in SLOTS:
        example = next((entry.name for entry in entries if entry.slot == word), "NAME")
        return f"name a part, such as {word}={example}"
    if word.endswith(".py"):
        return f"name the slot, such as {shlex.quote(f'attention={word}')}"
    if word.endswith(".toml"):
        return f"to read a recipe from a file, write {shlex.quote(f'@{word}')}"
    recipes = sorted(recipes)
    near = closest(word, [*recipes, *(entry.name for entry in entries)])
    if near in recipes:
        return f"did you mean {near}"
    if near:
        return "did you mean " + " or ".join(f"{e.slot}={e.name}" for e in entries if e.name == near)
    return f"the recipes are {', '.join(recipes)}" if recipes else "write key=value"


def unknown_setting(word: Word, owner: str, models: Models, entries: Iterable[Entry]) -> Problem:
    """The problem with a setting that its part or section does not have.

    Args:
        word: the word as typed.
        owner: the part or section, such as `decoder=lstm`.
        models: the settings classes of all chosen parts and allowed sections, by prefix.
        entries: other parts, which may have the setting.
    """
    known = list(models[word.head].model_fields)
    near = closest(word.name, known)
    what = f"{owner} has no setting {word.name}" if known else f"{owner} has no settings"
    slot = [entry for entry in entries if entry.slot == word.head]
    others = [f"{e.slot}={e.name}" for e in slot if _has(e, word.name)]
    if others:
        otherwise = f"{word.name} is a setting of {' and '.join(others)}"
    else:
        otherwise = f"its settings are {', '.join(known)}" if known else "remove it"
    similar = [f"{word.head}.{near}"] if near else []
    return Problem(what, str(word), _did_you_mean(word, [*similar, *_owners(word.name, models)]) or otherwise)


def unknown_key(word: Word, entries: Iterable[Entry], models: Models) -> Problem:
    """The problem with a key that is neither a slot nor a section nor a key of the command."""
    if word.key == "core" and word.text.startswith("@"):
        return trained_part(word.key, word.text)
    sections = [head for head in models if head and head not in SLOTS]
    bare = list(models[""].model_fields)
    similar = _owners(word.name, models)
    if word.head:
        what = f"unknown slot or section {word.head}"
        near = closest(word.head, [*SLOTS, *sections])
        similar = [f"{near}.{word.name}"] if near else similar
    else:
        what = f"unknown key {word.name}" if word.name else "missing key before the equals sign"
        near = closest(word.name, [*SLOTS, *bare])
        similar = [near, *similar] if near else similar
    parts = [f"{entry.slot}={entry.name}" for entry in entries if entry.name == word.key]
    otherwise = f"valid keys start with {', '.join([*SLOTS, *sections, *bare])}"
    return Problem(what, str(word), _did_you_mean(word, similar, parts) or otherwise)


def _did_you_mean(word: Word, keys: Iterable[str], others: Iterable[str] = ()) -> str:
    words = [*(shlex.quote(f"{key}={word.text}") for key in keys), *others]
    return f"did you mean {' or '.join(words)}" if words else ""


def _owners(name: str, models: Models) -> list[str]:
    """The full names of all settings with this name."""
    return [
        f"{head}.{name}" if head else name for head, model in models.items() if name in model.model_fields
    ]


def _has(entry: Entry, name: str) -> bool:
    """Whether the part has a setting with this name; false for a broken part."""
    try:
        return name in entry.load_settings().model_fields
    except PluginError:
        return False
