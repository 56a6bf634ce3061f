"""Write a new plugin from a template: a package for pip, or a single file."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from zoo.errors import Problem, UsageError
from zoo.files import new_file, new_folder
from zoo.parts import Slot
from zoo.registry import Registry
from zoo.scaffold.naming import module_name, problems_with, renamed


def write_package(name: str, slot: Slot, registry: Registry) -> list[Path]:
    """Write `polyzoo-NAME/` in the current folder.

    Returns:
        The files written, `pyproject.toml` first.

    Raises:
        UsageError: the name is invalid or taken, or the folder exists; holds all problems.
        ZooError: the folder cannot be written; nothing is left of it.
    """
    folder, package = Path(f"polyzoo-{name}"), f"polyzoo_{module_name(name)}"
    _require_free(name, slot, folder, registry)
    templates = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{package}/__init__.py": f"{slot}/__init__.py",
        f"{package}/part.py": f"{slot}/part.py",
        "tests/test_contract.py": "test_contract.py",
    }
    texts = {path: _text(template, slot, name) for path, template in templates.items()}
    with new_folder(folder) as temporary:
        for path, text in texts.items():
            (temporary / path).parent.mkdir(exist_ok=True)
            (temporary / path).write_text(text, encoding="utf-8")
    return [folder / path for path in texts]


def write_file(name: str, slot: Slot, registry: Registry) -> Path:
    """Write a plugin in a single file in the current folder.

    Raises:
        UsageError: the name is invalid or taken, or the file exists; holds all problems.
        ZooError: the file cannot be written.
    """
    path = Path(f"{module_name(name)}.py")
    _require_free(name, slot, path, registry)
    text = _text(f"{slot}/alone.py", slot, name)
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _require_free(name: str, slot: Slot, target: Path, registry: Registry) -> None:
    problems = problems_with(name, slot, registry)
    # An invalid name may contain path separators.
    if "/" not in name and os.path.lexists(target):
        problems.append(Problem("this already exists", str(target), "move it, or choose another name"))
    if problems:
        raise UsageError(*problems)


def _text(template: str, slot: Slot, name: str) -> str:
    text = files("zoo.scaffold").joinpath(template).read_text(encoding="utf-8")
    return renamed(text, slot, name)
