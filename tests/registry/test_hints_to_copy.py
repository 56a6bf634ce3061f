"""Users copy hints into a shell, and bundles, recipes and menus of others may contain any text."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from zoo.errors import BundleError, UsageError, ZooError
from zoo.registry import Recipe, open_registry, parse_recipe
from zoo.registry.words import Word

HOSTILE = "1'; touch x; $(touch y) `touch z` #"


def hints_of(error: ZooError) -> str:
    return "\n".join(problem.hint for problem in error.problems)


@pytest.mark.parametrize(
    "package", [HOSTILE, "--index-url=http://example.org torch", "-r", "a b", "https:", "a\nb"]
)
def test_a_package_in_a_stored_recipe_is_no_option_of_pip(package: str) -> None:
    stored = parse_recipe("", open_registry()).to_json()
    stored["parts"]["attention"]["name"] = f"{package}/mine"
    with pytest.raises(BundleError) as raised:
        Recipe.from_json(stored, open_registry())
    assert hints_of(raised.value) == "see `zoo plugin list`"


@pytest.mark.parametrize("version", [HOSTILE, "1 --index-url=http://example.org", "1' 'torch"])
def test_a_version_in_a_stored_recipe_is_part_of_a_hint_only_if_it_is_one(version: str) -> None:
    stored = parse_recipe("", open_registry()).to_json()
    stored["parts"]["decoder"].update(state_version=99, version=version)
    with pytest.raises(BundleError) as raised:
        Recipe.from_json(stored, open_registry())
    assert hints_of(raised.value) == ""


@pytest.mark.parametrize(
    ("key", "text", "hint"),
    [
        ("decoder.hiden", HOSTILE, f"decoder.hidden={HOSTILE}"),
        ("decodr", HOSTILE, f"decoder={HOSTILE}"),
        ("decoder", f"@{HOSTILE}", f"decoder=@{HOSTILE}"),
        ("attention", f"./{HOSTILE}.py", f"attention=./{HOSTILE}.py"),
    ],
)
def test_a_word_of_a_file_is_quoted_in_a_hint(key: str, text: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_recipe([Word(key, text, "friend.toml", Path())], open_registry())
    assert shlex.quote(hint) in hints_of(raised.value)
    assert HOSTILE not in hints_of(raised.value).replace(shlex.quote(hint), "")


@pytest.mark.parametrize("word", [f"./{HOSTILE}.py", f"{HOSTILE}.toml"])
def test_a_bare_word_is_quoted_in_a_hint(word: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_recipe([word], open_registry())
    assert HOSTILE not in hints_of(raised.value)
    assert "touch" in hints_of(raised.value)
