"""Consent: code in a file is run only if the user names the file or passes `--local`.

A run, a bundle, a recipe of `registry.toml` or an `@file.toml` may come from anywhere, so a file that one of
them names is not run by default. `--local` allows it, unless `--no-plugins` or `ZOO_PLUGINS` excludes
third-party code. If the version of a file was stored, it is compared before the file is imported.
"""

from __future__ import annotations

import shlex

from zoo.errors import Problem, UsageError
from zoo.parts import Slot
from zoo.registry.entry import Entry
from zoo.registry.registry import Registry, file_of, names_file
from zoo.registry.sources import SHOWN, file_digest, is_same
from zoo.registry.words import Word


def default_word(slot: Slot, registry: Registry) -> Word:
    """The default part of a slot, as a word that names the menu it comes from."""
    return Word(slot, registry.default(slot), "registry.toml", registry.menu.path.parent)


def named_part(slot: Slot, word: Word, registry: Registry) -> Entry:
    """The part that a word names.

    Raises:
        UsageError: there is none, it is code that the user has not agreed to run, or its file has changed
            since the word was stored.
        PluginError: its plugin is missing or broken, or two plugins offer it.
    """
    if not names_file(word.text):
        return registry.find(slot, word.text)
    name = located(word)
    if word.origin and not registry.trusts(name):
        what = "code in a file is run only if you name the file yourself"
        hint = f"inspect the file; if you trust it, add {shlex.quote(f'{slot}={name}')} or --local"
        raise UsageError(Problem(what, str(word), hint))
    _require_version(word, name)
    return registry.find(slot, name)


def located(word: Word) -> str:
    """The file that a word names, and its part, as they lead from the current folder."""
    return str(word.folder / word.text) if word.origin and word.folder.parts else word.text


def _require_version(word: Word, name: str) -> None:
    """Raise an error, before the file is imported, if its version is not the one that was stored."""
    current = file_digest(file_of(name))
    if word.version and current and not is_same(current, word.version):
        what = f"the file has changed: its version is {current[:SHOWN]}, expected {word.version[:SHOWN]}"
        hint = "restore the original file, or start afresh with this one"
        raise UsageError(Problem(what, str(word), hint))
