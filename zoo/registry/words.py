"""The words of a recipe, before they are interpreted.

`decoder=rbm decoder.hidden=20 data=bach` is kept as it is; `markov` is replaced by the recipe of that name in
`registry.toml`, and `@file.toml` by the content of the file. Typed words override those of recipes and files.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from zoo.errors import Problem, UsageError
from zoo.limits import RECIPE, read_toml
from zoo.parts import SLOTS
from zoo.registry.menu import Menu
from zoo.registry.values import write_value

PART = "part"
"""The key in the table of a slot, in a file, that names the part."""


@dataclass(frozen=True)
class Word:
    """One `key=text`.

    Attributes:
        key: `decoder`, `decoder.hidden` or `data`.
        text: the value as typed.
        origin: the recipe or file that contains the word; empty if the user typed it.
        folder: the folder that relative paths in the value are relative to.
        version: the required sha256 of a plugin file, if known; another file is an error.
    """

    key: str
    text: str
    origin: str = ""
    folder: Path = field(default=Path())
    version: str = ""

    @property
    def head(self) -> str:
        """The slot or section of a setting; empty if there is none."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The setting without its prefix."""
        return self.key.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.key}={self.text}" + (f" (in {self.origin})" if self.origin else "")


@dataclass
class Words:
    """Words sorted by key.

    Attributes:
        given: key -> word.
        bare: words without an equals sign that are not the name of a recipe.
        problems: problems so far.
    """

    given: dict[str, Word] = field(default_factory=dict)
    bare: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@overload
def split(words: str | Iterable[str]) -> list[str]: ...


@overload
def split(words: str | Iterable[str | Word]) -> list[str | Word]: ...


def split(words: str | Iterable[str | Word]) -> list[str] | list[str | Word]:
    """A list of words; a single string is split as a shell would.

    A backslash is an ordinary character, since it is part of paths on Windows.

    Raises:
        UsageError: a quotation mark is never closed, or the string is very long.
    """
    if not isinstance(words, str):
        return list(words)
    if len(words) > RECIPE:
        what = f"the recipe has {len(words):,} characters; the limit is {RECIPE:,}"
        raise UsageError(Problem(what, f"{words[:40]}…"))
    splitting = shlex.shlex(words, posix=True, punctuation_chars=False)
    splitting.whitespace_split, splitting.commenters, splitting.escape = True, "", ""
    try:
        return list(splitting)
    except ValueError:
        raise UsageError(Problem("a quotation mark is never closed", words)) from None


def stored_words(text: str, versions: Mapping[str, str], origin: str = "") -> list[Word]:
    """The words of a recipe that is stored in a file as `str(recipe)`.

    Args:
        text: the stored recipe.
        versions: slot -> the sha256 of the plugin file in that slot.
        origin: the file; empty if the user has agreed to run the code that it names.

    Raises:
        UsageError: a word is not of the form `key=value`.
    """
    pairs = [word.partition("=") for word in split(text)]
    if invalid := ["".join(pair) for pair in pairs if not pair[1] or pair[0].startswith("@")]:
        raise UsageError(Problem("a stored recipe must consist of key=value words", " ".join(invalid)))
    return [Word(key, value, origin, version=versions.get(key, "")) for key, _, value in pairs]


def read_words(words: Iterable[str | Word], menu: Menu) -> Words:
    """Sort words by key, with recipes and files expanded."""
    result = Words()
    base: dict[str, Word] = {}
    for word in words:
        if isinstance(word, Word):
            _add(result.given, [word], result.problems)
            continue
        name, sign, text = word.partition("=")
        if word.startswith("@"):
            _add(base, _of_file(Path(word[1:]), result.problems), result.problems)
        elif sign:
            _add(result.given, [Word(name, text)], result.problems)
        elif word in menu.recipes:
            _add(base, _of_recipe(word, menu, result.problems), result.problems)
        else:
            result.bare.append(word)
    result.given = _over(base, result.given, menu)
    return result


def not_text(text: str, where: str) -> list[Problem]:
    """The problem with a text that is not valid UTF-8, which a recipe must be; empty if it is valid."""
    try:
        text.encode()
    except UnicodeEncodeError:
        hint = "rename the file, or use a link to it: ln -s NAME music"
        return [Problem("not valid UTF-8", where, hint)]
    return []


def _add(layer: dict[str, Word], words: Iterable[Word], problems: list[Problem]) -> None:
    for word in words:
        if invalid := not_text(word.text, str(word)):
            problems += invalid
            continue
        earlier = layer.setdefault(word.key, word)
        if earlier is not word:
            where = f"{earlier} and {word}"
            problems.append(Problem(f"{word.key} is given twice", where, "remove one of them"))


def _over(base: Mapping[str, Word], typed: Mapping[str, Word], menu: Menu) -> dict[str, Word]:
    """Typed words override the base; if they replace a part, its settings are dropped as well."""
    # The settings of a replaced part belong to that part; those of the new one are typed or defaults.
    remaining = dict(base)
    for slot in SLOTS:
        before = base[slot].text if slot in base else menu.defaults[slot]
        if slot in typed and typed[slot].text != before:
            remaining = {key: word for key, word in remaining.items() if not key.startswith(f"{slot}.")}
    return {**remaining, **typed}


def _of_recipe(name: str, menu: Menu, problems: list[Problem]) -> Iterator[Word]:
    for word in split(menu.recipes[name]):
        key, sign, text = word.partition("=")
        if sign:
            yield Word(key, text, f"recipe {name}", menu.path.parent)
        else:
            problems.append(Problem("a recipe must consist of key=value words", f"{word} in recipe {name}"))


def _of_file(path: Path, problems: list[Problem]) -> Iterator[Word]:
    try:
        content = read_toml(path, "menu")
    except OSError as error:
        problems.append(Problem(f"cannot be read: {error.strerror}", f"@{path}", "check the path"))
        return
    except ValueError as error:
        problems.append(Problem(f"invalid TOML: {error}", f"@{path}"))
        return
    for key, value in _flat(content):
        if isinstance(value, dict) or not isinstance(value, bool | int | float | str | list):
            problems.append(
                Problem(
                    "values must be strings, numbers or lists, at most one table deep", f"{key} in {path}"
                )
            )
        else:
            yield Word(key, write_value(value), str(path), path.parent)


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for head, value in content.items():
        if not isinstance(value, dict):
            yield head, value
            continue
        for name, inner in value.items():
            yield head if name == PART and head in SLOTS else f"{head}.{name}", inner
