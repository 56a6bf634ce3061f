"""Which packages are imported and which are declared, from the source and the metadata of packages."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN = {"zoo", "zoo_plugins", "polyzoo"}

WRAPPED = {"torch.utils.tensorboard": "tensorboard"}
"""Modules of one package that need another one."""
LATE = ("import_module", "importorskip", "find_spec")
"""Functions that import a module by its name."""
NAMED = ("extensions", "html_theme")
"""Variables of Sphinx's configuration that name modules."""


def normal(name: str) -> str:
    """The normalized name of a distribution."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(project: Path = ROOT) -> dict[str, set[str]]:
    """Group -> the distributions that it needs; those that are always needed are in group ""."""
    table = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    groups: Mapping[str, list[str]] = {"": table["dependencies"], **table["optional-dependencies"]}
    return {
        group: {normal(re.split(r"[^\w.-]", need.strip(), maxsplit=1)[0]) for need in needs}
        for group, needs in groups.items()
    }


def imported(folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The third-party top-level modules that source files import, anywhere in them."""
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_bytes())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                elif path.name == "conf.py" and isinstance(node, ast.Assign):
                    if ast.unparse(node.targets[0]) in NAMED:
                        names = [a.value for a in ast.walk(node.value) if isinstance(a, ast.Constant)]
                elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(LATE):
                    names = [a.value for a in node.args if isinstance(a, ast.Constant) and str(a.value)]
                for name in map(str, names):
                    top = WRAPPED.get(name, name.partition(".")[0])
                    if top not in sys.stdlib_module_names and top not in OWN:
                        yield top, path


def distributions(module: str, known: Mapping[str, list[str]]) -> set[str]:
    """The distributions that provide a module; its own name if none is installed."""
    return {normal(name) for name in known.get(module, [module])}


def audit(project: Path = ROOT) -> list[str]:
    """Packages that are imported but not declared, and packages that are declared but never used."""
    groups, known = declared(project), metadata.packages_distributions()
    runtime = set().union(*(names for group, names in groups.items() if group not in ("dev", "docs")))
    used: set[str] = set()
    problems = set()
    for module, path in imported([project / "zoo", project / "plugins"]):
        provided = distributions(module, known)
        used |= provided & runtime
        # zoo.testing is used in tests of plugins, so it may import test dependencies.
        allowed = groups["dev"] if path.is_relative_to(project / "zoo" / "testing") else set()
        if not provided & (runtime | allowed):
            problems.add(
                f"{path.relative_to(project)} imports {module}, which pyproject.toml does not declare"
            )
    problems |= {f"{name} is declared, and no module imports it" for name in runtime - used}
    tests = [project / name for name in ("tests", "benchmarks", "docs")]
    dev = {name for module, _ in imported(tests) for name in distributions(module, known)} | {"setuptools"}
    problems |= {
        f"{name} is declared for {group} and unused"
        for group in ("dev", "docs")
        for name in groups.get(group, set()) - dev
        if not is_tool(name)
    }
    return sorted(problems)


def is_tool(name: str) -> bool:
    """Whether a distribution has a command, or is a plugin of pytest, that `make` uses."""
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return True  # not installed, so its metadata are unknown
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = {path.name for path in package.files or () if path.parent.name in ("bin", "Scripts")}
    return any(f"/{name} " in makefile or f"/{name}\n" in makefile for name in commands) or any(
        point.group == "pytest11" for point in package.entry_points
    )


if __name__ == "__main__":
    sys.exit("\n".join(audit()))
