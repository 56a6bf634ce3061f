"""The words of a recipe, before anyone asks what they mean.

`decoder=rbm decoder.hidden=20 data=bach` stands as it is; `markov` is replaced by the recipe of that
name in `registry.toml`, `@file.toml` by what the file says. What is typed goes before what a recipe or
a file brings.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from zoo.errors import Problem, UsageError
from zoo.limits import read_bytes
from zoo.parts import SLOTS
from zoo.registry.menu import Menu
from zoo.registry.values import write_value

PART = "part"
"""In a file, the key of a slot's table that names its part."""


@dataclass(frozen=True)
class Word:
    """One `key=text`.

    Attributes:
        key: `decoder`, `decoder.hidden` or `data`.
        text: what follows the sign, as it was typed.
        origin: the recipe or file that brought it; empty where the user typed it.
        folder: what a relative path in it is relative to.
        version: the version of the file of code that it means, where that is known; another file is refused.
    """

    key: str
    text: str
    origin: str = ""
    folder: Path = field(default=Path())
    version: str = ""

    @property
    def head(self) -> str:
        """The slot or section of a setting; empty where there is none."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The setting, without what it is under."""
        return self.key.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.key}={self.text}" + (f" (in {self.origin})" if self.origin else "")


@dataclass
class Words:
    """What a recipe says.

    Attributes:
        given: key -> word.
        bare: words without a sign that name no recipe, for the caller to explain.
        problems: what is wrong already.
    """

    given: dict[str, Word] = field(default_factory=dict)
    bare: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@overload
def split(words: str | Iterable[str]) -> list[str]: ...


@overload
def split(words: str | Iterable[str | Word]) -> list[str | Word]: ...


def split(words: str | Iterable[str | Word]) -> list[str] | list[str | Word]:
    """Words as the shell hands them over; one string of them is split as a shell would.

    A backslash stands for itself, since on Windows it is part of a path.

    Raises:
        UsageError: a quotation mark is never closed.
    """
    if not isinstance(words, str):
        return list(words)
    splitting = shlex.shlex(words, posix=True, punctuation_chars=False)
    splitting.whitespace_split, splitting.commenters, splitting.escape = True, "", ""
    try:
        return list(splitting)
    except ValueError:
        raise UsageError(Problem("a quotation mark is never closed", words)) from None


def kept_words(text: str, versions: Mapping[str, str], origin: str = "") -> list[Word]:
    """The words of a recipe that a file kept, as `str(recipe)` wrote them.

    Args:
        text: what was kept.
        versions: slot -> the version of the file of code that stands there.
        origin: the file; empty where the user has agreed to what it says.

    Raises:
        UsageError: it holds anything but `key=value`.
    """
    found = [word.partition("=") for word in split(text)]
    if strange := ["".join(word) for word in found if not word[1] or word[0].startswith("@")]:
        raise UsageError(Problem("a kept recipe holds only key=value words", " ".join(strange)))
    return [Word(key, value, origin, version=versions.get(key, "")) for key, _, value in found]


def read_words(words: Iterable[str | Word], menu: Menu) -> Words:
    """Sort words by key, with recipes and files in their place."""
    found = Words()
    base: dict[str, Word] = {}
    for word in words:
        if isinstance(word, Word):
            _add(found.given, [word], found.problems)
            continue
        name, sign, text = word.partition("=")
        if word.startswith("@"):
            _add(base, _of_file(Path(word[1:]), found.problems), found.problems)
        elif sign:
            _add(found.given, [Word(name, text)], found.problems)
        elif word in menu.recipes:
            _add(base, _of_recipe(word, menu, found.problems), found.problems)
        else:
            found.bare.append(word)
    found.given = _over(base, found.given, menu)
    return found


def not_text(text: str, where: str) -> list[Problem]:
    """What is wrong with a name in another encoding than UTF-8, which no recipe can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        cure = "rename it, or name a link to it: ln -s NAME music"
        return [Problem("this is not UTF-8", where, cure)]
    return []


def _add(layer: dict[str, Word], words: Iterable[Word], problems: list[Problem]) -> None:
    for word in words:
        if strange := not_text(word.text, str(word)):
            problems += strange
            continue
        other = layer.setdefault(word.key, word)
        if other is not word:
            problems.append(Problem(f"{word.key} is given twice", f"{other} and {word}", "keep one of them"))


def _over(base: Mapping[str, Word], typed: Mapping[str, Word], menu: Menu) -> dict[str, Word]:
    """What was typed over what was named. Who replaces a part does not want its settings."""
    kept = dict(base)
    for slot in SLOTS:
        before = base[slot].text if slot in base else menu.defaults[slot]
        if slot in typed and typed[slot].text != before:
            kept = {key: word for key, word in kept.items() if not key.startswith(f"{slot}.")}
    return {**kept, **typed}


def _of_recipe(name: str, menu: Menu, problems: list[Problem]) -> Iterator[Word]:
    for word in split(menu.recipes[name]):
        key, sign, text = word.partition("=")
        if sign:
            yield Word(key, text, f"recipe {name}", menu.path.parent)
        else:
            problems.append(Problem("a recipe holds only key=value words", f"{word} in recipe {name}"))


def _of_file(path: Path, problems: list[Problem]) -> Iterator[Word]:
    try:
        content = tomllib.loads(read_bytes(path, "menu").decode())
    except OSError as error:
        problems.append(Problem(f"cannot be read: {error.strerror}", f"@{path}", "check its name and place"))
        return
    except ValueError as error:
        problems.append(Problem(f"this is not TOML: {error}", f"@{path}"))
        return
    for key, value in _flat(content):
        if isinstance(value, dict) or not isinstance(value, bool | int | float | str | list):
            problems.append(
                Problem("tables go one deep and hold texts, numbers and lists", f"{key} in {path}")
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
