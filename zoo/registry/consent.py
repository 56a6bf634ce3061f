"""Consent: code in a file is run only where the user names the file, or agrees to what names it.

A run, a bundle, a recipe of `registry.toml` or an `@file.toml` may come from anywhere, so what it says is no
consent. `--local` is, unless `--no-plugins` or `ZOO_PLUGINS` leaves foreign code out. Where the version of a
file was kept, it is compared before anything of the file is imported.
"""

from __future__ import annotations

from zoo.errors import Problem, UsageError
from zoo.parts import Slot
from zoo.registry.entry import Entry
from zoo.registry.registry import Registry, file_of, names_file
from zoo.registry.sources import file_version
from zoo.registry.words import Word


def default_word(slot: Slot, registry: Registry) -> Word:
    """What stands in a slot when the user says nothing, with the menu that says so."""
    return Word(slot, registry.default(slot), "registry.toml", registry.menu.path.parent)


def named_part(slot: Slot, word: Word, registry: Registry) -> Entry:
    """The part that a word names.

    Raises:
        UsageError: there is none, it is code that the user has not agreed to run, or its file is another than
            the one that is meant.
        PluginError: its plugin is missing or broken, or two plugins offer it.
    """
    if not names_file(word.text):
        return registry.find(slot, word.text)
    name = str(word.folder / word.text) if word.origin and word.folder.parts else word.text
    if word.origin and not registry.trusts(name):
        what = "code is run only where you name it yourself"
        cure = f"look at the file; if you trust it, write {slot}={name} as well, or add --local"
        raise UsageError(Problem(what, str(word), cure))
    _refuse_another(word, name)
    return registry.find(slot, name)


def _refuse_another(word: Word, name: str) -> None:
    """Refuse a file that is not the one whose version was kept, before it is imported."""
    here = file_version(file_of(name))
    if word.version and here and here != word.version:
        what = f"the file has changed: it is {here} now, {word.version} is meant"
        cure = "put back the file as it was, or begin again with this one"
        raise UsageError(Problem(what, str(word), cure))
