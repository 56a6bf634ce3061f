"""The menu, `registry.toml`: enabled plugins, the default part of each slot, and named recipes.

The shipped menu is part of the package; a `./registry.toml` of the user overrides its entries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zoo
from zoo.errors import Problem, UsageError
from zoo.limits import read_toml
from zoo.parts import SLOTS

FILE = "registry.toml"
NAME = re.compile(r"\w[\w.-]*")
"""Names of plugins and recipes, which hints and the completion of a shell contain."""


@dataclass(frozen=True)
class Menu:
    """The content of one `registry.toml`.

    Attributes:
        path: the file.
        plugins: name -> module or file, or whether the plugin is enabled.
        defaults: slot -> the name of a part.
        recipes: name -> words.
    """

    path: Path
    plugins: Mapping[str, str | bool] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)


def shipped_menu() -> Menu:
    """The menu that is part of the package."""
    return read_menu(_shipped_path())


def user_menu(folder: Path) -> Menu:
    """The menu in a folder; empty if there is none or it is the shipped one."""
    path = folder / FILE
    if not path.is_file() or path.resolve() == _shipped_path().resolve():
        return Menu(path)
    return read_menu(path)


def _shipped_path() -> Path:
    """The path of the shipped menu: inside the package if installed, above it in a checkout."""
    package = Path(zoo.__file__).parent
    inside = package / FILE
    return inside if inside.exists() else package.parent / FILE


def read_menu(path: Path) -> Menu:
    """Read one menu.

    Raises:
        UsageError: the file is not TOML or has invalid entries; holds all problems.
    """
    try:
        tables = read_toml(path, "menu")
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UsageError(Problem(what, str(path), "check the file's permissions, or remove it")) from None
    except ValueError as error:
        raise UsageError(Problem(f"invalid TOML: {error}", str(path), "fix or remove the file")) from None
    problems = [*_problems(tables)]
    if problems:
        raise UsageError(*(Problem(what, str(path), hint) for what, hint in problems))
    return Menu(path, tables.get("plugins", {}), tables.get("defaults", {}), tables.get("recipes", {}))


def _problems(tables: Mapping[str, Any]) -> list[tuple[str, str]]:
    problems = []
    kinds: Mapping[str, tuple[type, ...]] = {"plugins": (str, bool), "defaults": (str,), "recipes": (str,)}
    for table, content in tables.items():
        if table not in kinds or not isinstance(content, dict):
            problems.append((f"unknown table {table}", "the tables are [plugins], [defaults] and [recipes]"))
            continue
        for key, value in content.items():
            if not NAME.fullmatch(key):
                hint = "names consist of letters, digits, dots, hyphens and underscores"
                problems.append((f"{key!r} is not a name for [{table}]", hint))
            elif not isinstance(value, kinds[table]):
                problems.append((f"{table}.{key} is not a string", f'write {key} = "..."'))
            elif table == "defaults" and key not in SLOTS:
                problems.append((f"there is no slot {key}", f"the slots are {', '.join(SLOTS)}"))
    return problems


def merged_menu(shipped: Menu, users: Menu) -> Menu:
    """The shipped menu, with its defaults and recipes overridden by those of the user's menu."""
    return Menu(
        users.path,
        shipped.plugins,
        {**shipped.defaults, **users.defaults},
        {**shipped.recipes, **users.recipes},
    )
