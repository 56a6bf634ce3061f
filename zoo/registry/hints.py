"""What was probably meant: near misses, and right names in the wrong place."""

from __future__ import annotations

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
"""Settings by what they are called under: a slot, a section, or nothing."""

FEW = 8
"""So many names are listed; of more the user is shown where they are."""


def closest(given: str, names: Iterable[str]) -> str:
    """The name that was probably meant; empty where none is near."""
    return next(iter(get_close_matches(given, list(names), n=1)), "")


def article(slot: str) -> str:
    """The slot with its article: "a decoder", "an encoder"."""
    return f"an {slot}" if slot[0] in "aeio" else f"a {slot}"


def _is_a(entry: Entry) -> str:
    return f"{entry.name} is {article(entry.slot)}: {entry.slot}={entry.name}"


def _listed(names: Sequence[str], otherwise: str) -> str:
    return ", ".join(names) if len(names) <= FEW else otherwise


def unknown_part(slot: str, name: str, entries: Sequence[Entry], plugins: Sequence[Plugin]) -> Problem:
    """A part that nobody offers: its name in another slot, one like it, or what there is."""
    if name.startswith("@"):
        return trained_part(slot, name)
    here = [entry.name for entry in entries if entry.slot == slot]
    elsewhere = [_is_a(entry) for entry in entries if entry.name == name]
    if elsewhere:
        cure = "; ".join(dict.fromkeys(elsewhere))
    elif closest(name, here):
        cure = f"did you mean {slot}={closest(name, here)}"
    else:
        cure = f"it may be {_listed(sorted(set(here)), f'any that `zoo list {slot}` shows')}"
    silent = [plugin for plugin in plugins if plugin.health in ("off", "failed", "other api")]
    if silent:
        cure += "; not asked: " + ", ".join(f"{plugin.source} ({plugin.health})" for plugin in silent)
        cure += ", see `zoo plugin list`"
    what = f"there is no {slot} of that name" if name else "it names no part"
    return Problem(what, f"{slot}={name}", cure)


def trained_part(key: str, name: str) -> Problem:
    """A part of a run or a bundle, `decoder=@RUN`, where parts begin untrained."""
    cure = f"`zoo build {key}={name} -o BUNDLE` puts trained parts together"
    return Problem("trained parts are not taken here", f"{key}={name}", cure)


def bare_words(words: Sequence[str], entries: Sequence[Entry], recipes: Iterable[str]) -> list[Problem]:
    """Words without a sign: `attention history`, `history`, `attention`."""
    found = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in SLOTS and rest:
            other = rest.pop(0)
            found.append(
                Problem("the sign between them is missing", f"{word} {other}", f"write {word}={other}")
            )
        else:
            found.append(
                Problem("it is neither key=value nor a recipe", word, _bare_cure(word, entries, recipes))
            )
    return found


def _bare_cure(word: str, entries: Sequence[Entry], recipes: Iterable[str]) -> str:
    named = [_is_a(entry) for entry in entries if entry.name == word]
    if named:
        return "; ".join(named)
    if word in SLOTS:
        example = next((entry.name for entry in entries if entry.slot == word), "NAME")
        return f"name a part, such as {word}={example}"
    if word.endswith(".py"):
        return f"say what it is, such as attention={word}"
    if word.endswith(".toml"):
        return f"a file is merged with @{word}"
    recipes = sorted(recipes)
    near = closest(word, [*recipes, *(entry.name for entry in entries)])
    if near in recipes:
        return f"did you mean {near}"
    if near:
        return "did you mean " + " or ".join(f"{e.slot}={e.name}" for e in entries if e.name == near)
    return f"recipes are {', '.join(recipes)}" if recipes else "write key=value"


def unknown_setting(word: Word, owner: str, models: Models, entries: Iterable[Entry]) -> Problem:
    """A setting that its part or section does not have.

    Args:
        word: as it was typed.
        owner: who lacks it, such as `decoder=lstm`.
        models: the settings of every chosen part and allowed section, by what they are called under.
        entries: parts that may have it, were they chosen.
    """
    mine = list(models[word.head].model_fields)
    near = closest(word.name, mine)
    what = f"{owner} has no setting {word.name}" if mine else f"{owner} has no settings"
    slot = [entry for entry in entries if entry.slot == word.head]
    others = [f"{e.slot}={e.name}" for e in slot if _has(e, word.name)]
    if others:
        otherwise = f"it is a setting of {' and '.join(others)}"
    else:
        otherwise = f"it has {', '.join(mine)}" if mine else "leave it out"
    meant = [f"{word.head}.{near}"] if near else []
    return Problem(what, str(word), _meant(word, [*meant, *_owners(word.name, models)]) or otherwise)


def unknown_key(word: Word, entries: Iterable[Entry], models: Models) -> Problem:
    """A key that is no slot, no section and nothing the command asks for."""
    if word.key == "core" and word.text.startswith("@"):
        return trained_part(word.key, word.text)
    sections = [head for head in models if head and head not in SLOTS]
    bare = list(models[""].model_fields)
    meant = _owners(word.name, models)
    if word.head:
        what = f"there is no {word.head} here to set {word.name} of"
        near = closest(word.head, [*SLOTS, *sections])
        meant = [f"{near}.{word.name}"] if near else meant
    else:
        what = f"nothing here is called {word.name}" if word.name else "there is nothing before the sign"
        near = closest(word.name, [*SLOTS, *bare])
        meant = [near, *meant] if near else meant
    parts = [f"{entry.slot}={entry.name}" for entry in entries if entry.name == word.key]
    otherwise = f"it may start with {', '.join([*SLOTS, *sections, *bare])}"
    return Problem(what, str(word), _meant(word, meant, parts) or otherwise)


def _meant(word: Word, keys: Iterable[str], others: Iterable[str] = ()) -> str:
    words = [*(f"{key}={word.text}" for key in keys), *others]
    return f"did you mean {' or '.join(words)}" if words else ""


def _owners(name: str, models: Models) -> list[str]:
    """Who has a setting of that name."""
    return [
        f"{head}.{name}" if head else name for head, model in models.items() if name in model.model_fields
    ]


def _has(entry: Entry, name: str) -> bool:
    """Whether the part has a setting of that name; a broken one has none."""
    try:
        return name in entry.load_settings().model_fields
    except PluginError:
        return False
