"""The menu, `registry.toml`: which plugins are on, what each slot holds by default, named recipes.

The shipped menu lies beside the core; a `./registry.toml` of the user is laid over it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zoo
from zoo.errors import Problem, UsageError
from zoo.limits import read_bytes
from zoo.parts import SLOTS

FILE = "registry.toml"


@dataclass(frozen=True)
class Menu:
    """What one `registry.toml` says.

    Attributes:
        path: where it was read.
        plugins: name -> module or file, or whether it is on.
        defaults: slot -> the name of a part.
        recipes: name -> words.
    """

    path: Path
    plugins: Mapping[str, str | bool] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)


def shipped_menu() -> Menu:
    """The menu that came with the zoo."""
    return read_menu(_shipped_path())


def users_menu(folder: Path) -> Menu:
    """The menu in a folder; an empty one where there is none, or where it is the shipped one."""
    path = folder / FILE
    if not path.is_file() or path.resolve() == _shipped_path().resolve():
        return Menu(path)
    return read_menu(path)


def _shipped_path() -> Path:
    """Inside the package when built, above it in a checkout."""
    package = Path(zoo.__file__).parent
    inside = package / FILE
    return inside if inside.exists() else package.parent / FILE


def read_menu(path: Path) -> Menu:
    """Read one menu.

    Raises:
        UsageError: it is not TOML, or says something that a menu cannot say; all of it at once.
    """
    try:
        tables = tomllib.loads(read_bytes(path, "menu").decode())
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UsageError(Problem(what, str(path), "let it be read, or remove it")) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(Problem(f"this is not TOML: {error}", str(path), "mend or remove it")) from None
    problems = [*_problems(tables)]
    if problems:
        raise UsageError(*(Problem(what, str(path), cure) for what, cure in problems))
    return Menu(path, tables.get("plugins", {}), tables.get("defaults", {}), tables.get("recipes", {}))


def _problems(tables: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    kinds: Mapping[str, tuple[type, ...]] = {"plugins": (str, bool), "defaults": (str,), "recipes": (str,)}
    for table, content in tables.items():
        if table not in kinds or not isinstance(content, dict):
            found.append((f"a menu has no {table}", "its tables are [plugins], [defaults] and [recipes]"))
            continue
        for key, value in content.items():
            if not isinstance(value, kinds[table]):
                found.append((f"{table}.{key} is not a text", f'write {key} = "..."'))
            elif table == "defaults" and key not in SLOTS:
                found.append((f"there is no slot {key}", f"the slots are {', '.join(SLOTS)}"))
    return found


def laid_over(shipped: Menu, users: Menu) -> Menu:
    """The shipped menu with the user's defaults and recipes in place of those of the same name."""
    return Menu(
        users.path,
        shipped.plugins,
        {**shipped.defaults, **users.defaults},
        {**shipped.recipes, **users.recipes},
    )
