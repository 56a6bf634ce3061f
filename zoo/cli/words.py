"""The words of a recipe on the command line, and what the shell may complete them to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from zoo.cli.named import one_slot
from zoo.errors import ZooError
from zoo.parts import SLOTS, Settings
from zoo.registry import Registry, open_registry
from zoo.registry.consent import default_word, named_part
from zoo.registry.fields import choices, default
from zoo.registry.words import read_words

Models = Mapping[str, type[Settings]]
_KEY_VALUE = re.compile(r"[A-Za-z_]\w*(\.\w+)*=")


def is_key_value(word: str) -> bool:
    """Whether a word is KEY=VALUE, not a path with an equals sign such as `runs/lr=0.01`."""
    return _KEY_VALUE.match(word) is not None


def shell_path(path: Path) -> str:
    """A path as it is typed in a shell where an option or KEY=VALUE may also stand."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") or is_key_value(text) else text)


def recipe_words(
    keys: type[Settings] = Settings, sections: Models | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The argument `words` of a command that takes a recipe, with completion in the shell.

    Args:
        keys: what the command hands to `parse_recipe` as `keys`.
        sections: what it hands over as `sections`.
    """
    complete = partial(complete_word, keys=keys, sections=sections or {})
    return click.argument("words", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=complete)


def complete_word(
    context: click.Context,
    parameter: click.Parameter,
    incomplete: str,
    *,
    keys: type[Settings],
    sections: Models,
) -> list[CompletionItem[str]]:
    """`slot=`, `slot=part`, `slot.setting=` and `slot.setting=value` that begin so."""
    typed = context.params.get(parameter.name or "") or ()
    try:
        words = list(_candidates(incomplete, typed, open_registry(), {**sections, "": keys}))
    except ZooError:
        return []
    return [CompletionItem(word, help=line) for word, line in words if word.startswith(incomplete)]


def _candidates(
    incomplete: str, typed: Sequence[str], registry: Registry, models: Models
) -> Iterator[tuple[str, str | None]]:
    """Words with a line of help each, whether or not they begin as what was typed."""
    key, sign, _ = incomplete.partition("=")
    if sign and key in SLOTS:
        for entry in registry.entries(one_slot(key, key)):
            yield f"{key}={registry.word(entry)}", entry.description.summary
        return
    head, dot, name = key.rpartition(".")
    if dot:
        model = _settings_of(head, typed, registry) if head in SLOTS else models.get(head, Settings)
    else:
        model = models[""]
    for field_name, field in model.model_fields.items():
        word = f"{head}{dot}{field_name}="
        if sign and field_name == name:
            for value in choices(field) or [default(field)]:
                yield word + value, None
        elif not sign:
            yield word, field.description
    if not sign and not dot:
        yield from _first_words(typed, registry, models)


def _first_words(
    typed: Sequence[str], registry: Registry, models: Models
) -> Iterator[tuple[str, str | None]]:
    named = read_words(typed, registry.menu).given
    for slot in SLOTS:
        yield (f"{slot}.", "its settings") if slot in named else (f"{slot}=", "a part")
    for section in filter(None, models):
        yield f"{section}.", "its settings"
    yield from registry.menu.recipes.items()


def _settings_of(slot: str, typed: Sequence[str], registry: Registry) -> type[Settings]:
    """The settings of the part that stands in the slot so far."""
    word = read_words(typed, registry.menu).given.get(slot)
    place = one_slot(slot, slot)
    return named_part(place, word or default_word(place, registry), registry).load_settings()
