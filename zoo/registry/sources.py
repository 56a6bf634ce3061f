"""Where plugins come from: shipped, installed by pip, or the user's own. None of their code runs here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from site import getsitepackages, getusersitepackages
from typing import TYPE_CHECKING, Literal

import zoo
from zoo.limits import sha256_of
from zoo.registry.menu import Menu

if TYPE_CHECKING:
    from importlib.metadata import Distribution

GROUP = "zoo.plugins"
"""The entry-point group of installed plugins."""

SHIPPED = "polyzoo"
"""The distribution of the zoo itself; its parts keep their bare names."""

Origin = Literal["shipped", "installed", "local", "file"]


@dataclass(frozen=True)
class Source:
    """Where a plugin comes from, known before any of its code runs.

    Attributes:
        name: what `registry.toml` or the entry point calls it.
        origin: came with the zoo, was installed by pip, is listed in the user's `registry.toml`, or is a
            file named in a recipe.
        target: "module", "module:object" or the path of a file.
        distribution: what pip calls the package; a plugin in `registry.toml` goes by its own name, a
            file by its path as it was written.
        version: of the distribution; of a file, the first digits of its sha256.
        off: why it is not to be loaded; empty where it is.
        broken: why it cannot be, where that is known already.
    """

    name: str
    origin: Origin
    target: str
    distribution: str
    version: str = ""
    off: str = ""
    broken: str = ""

    @property
    def is_file(self) -> bool:
        """Whether the plugin is a single file."""
        return self.origin in ("local", "file") and self.target.endswith(".py")

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


def same_distribution(one: str, other: str) -> bool:
    """Whether two spellings name the same package, as pip sees it."""
    return _plain(one) == _plain(other)


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _wanted() -> frozenset[str] | None:
    """The only foreign plugins to load, from ZOO_PLUGINS; None where all are welcome."""
    names = os.environ.get("ZOO_PLUGINS")
    return None if names is None else frozenset(name.strip() for name in names.split(",") if name.strip())


def left_out(name: str, distribution: str = "") -> bool:
    """Whether ZOO_PLUGINS or --no-plugins leaves a foreign plugin out."""
    wanted = _wanted()
    return wanted is not None and not any(
        name == it or same_distribution(distribution or name, it) for it in wanted
    )


def _why_off(name: str, distribution: str, switches: Mapping[str, str | bool]) -> str:
    """Why a foreign plugin is not loaded; empty where it is."""
    if left_out(name, distribution):
        return "ZOO_PLUGINS or --no-plugins leaves it out"
    if switches.get(name) is False or switches.get(distribution) is False:
        return "switched off in registry.toml"
    return ""


def shipped_sources(shipped: Menu, users: Menu) -> list[Source]:
    """The plugins that came with the zoo."""
    return [
        Source(
            name,
            "shipped",
            str(target),
            SHIPPED,
            zoo.__version__,
            off="switched off in registry.toml" if users.plugins.get(name) is False else "",
        )
        for name, target in shipped.plugins.items()
    ]


def local_sources(users: Menu, *, local: bool) -> list[Source]:
    """The modules and files that the user's own `registry.toml` lists."""
    listed = "listed in ./registry.toml, which loads code only with --local or ZOO_LOCAL=1"
    found = []
    for name, target in users.plugins.items():
        if isinstance(target, str):
            off = _why_off(name, name, {}) or ("" if local else listed)
            path = str(users.path.parent / target) if target.endswith(".py") else target
            found.append(_local(name, path, off))
    return found


def _local(name: str, path: str, off: str) -> Source:
    try:
        return Source(name, "local", path, name, file_version(Path(path)), off)
    except OSError as error:
        return Source(name, "local", path, name, off=off, broken=f"it cannot be read: {error.strerror}")


def file_source(path: Path, written: str) -> Source:
    """A file that was named in a recipe."""
    return Source(path.stem, "file", str(path), written, file_version(path))


def file_version(path: Path) -> str:
    """The first digits of the file's sha256; empty where there is no file."""
    return sha256_of(path, "code")[:12] if path.is_file() else ""


def installed_sources(users: Menu) -> list[Source]:
    """The plugins that pip installed, from their metadata alone.

    A distribution may be found twice, as where Python starts in the folder of one that is installed
    editable; the first on the path is the one that is imported.
    """
    found: dict[str, list[Source]] = {}
    for package in _packages():
        offered = list(_offered(package, users))
        if offered:
            found.setdefault(_plain(offered[0].distribution), offered)
    sources = [source for offered in found.values() for source in offered]
    return sorted(sources, key=lambda source: (source.distribution, source.name))


def _packages() -> Iterator[Distribution]:
    """The installed packages that name our group.

    `importlib.metadata` would find them as well, but importing it takes a tenth of `zoo list`, and seldom
    is there anything to read with it.

    Metadata in the current folder does not count, even where Python imports from it: a folder from
    elsewhere could hold some. It counts where pip installs into that folder, or PYTHONPATH names it.
    """
    here = Path.cwd()
    for folder in dict.fromkeys(sys.path):
        if Path(folder).resolve() == here and not _holds_packages(here):
            continue
        for points in Path(folder).glob("*-info/entry_points.txt"):
            if _names_group(points):
                from importlib.metadata import Distribution

                yield Distribution.at(points.parent)


def _holds_packages(folder: Path) -> bool:
    """Whether pip installs into the folder, or the user has put it on Python's path."""
    named = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return folder in {Path(place).resolve() for place in (*getsitepackages(), getusersitepackages(), *named)}


def _names_group(points: Path) -> bool:
    try:
        return GROUP.encode() in points.read_bytes()
    except OSError:
        return False


def _offered(package: Distribution, users: Menu) -> Iterator[Source]:
    try:
        name, version = package.metadata["Name"], package.version
        if not name or not version:
            raise ValueError("it names no distribution or no version")
    except Exception as error:
        where = Path(str(getattr(package, "_path", "?"))).name
        yield Source(where, "installed", "", where, broken=f"its metadata cannot be read: {error}")
        return
    try:
        points = list(package.entry_points.select(group=GROUP))
    except Exception as error:
        broken = f"its entry_points.txt cannot be read: {error}"
        yield Source(name, "installed", "", name, version, _why_off(name, name, users.plugins), broken)
        return
    for point in points:
        off = _why_off(point.name, name, users.plugins)
        yield Source(point.name, "installed", point.value, name, version, off)
