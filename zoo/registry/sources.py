"""Find plugins without running their code: shipped, installed by pip, or listed by the user."""

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
"""The distribution of the zoo itself."""

SHOWN = 12
"""Digits of the sha256 of a file that are its version. They tell files apart, but do not identify a file: two
with the same digits are found in minutes."""

DIGEST = re.compile(r"[0-9a-f]{12}|[0-9a-f]{64}")
"""A digest that is stored for a file of code."""

Origin = Literal["shipped", "installed", "local", "file"]


@dataclass(frozen=True)
class Source:
    """The origin of a plugin, known before any of its code runs.

    Attributes:
        name: the name in `registry.toml` or of the entry point.
        origin: "shipped" with the zoo, "installed" by pip, "local" if listed in the user's `registry.toml`,
            or "file" if a recipe names the file.
        target: "module", "module:object" or the path of a file.
        distribution: the name of the distribution package; for a local plugin its own name, for a file its
            path as typed.
        version: the version of the distribution; for a file the first digits of its sha256.
        off: why the plugin is disabled; empty if it is enabled.
        broken: why the plugin cannot be loaded, if already known.
        sha256: of a file, 64 hexadecimal digits.
    """

    name: str
    origin: Origin
    target: str
    distribution: str
    version: str = ""
    off: str = ""
    broken: str = ""
    sha256: str = ""

    @property
    def is_file(self) -> bool:
        """Whether the plugin is a single file."""
        return self.origin in ("local", "file") and self.target.endswith(".py")

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


def same_distribution(name: str, other: str) -> bool:
    """Whether two spellings are the same distribution name after normalisation (PEP 503)."""
    return _normalised(name) == _normalised(other)


def _normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _wanted() -> frozenset[str] | None:
    """The third-party plugins to load, from ZOO_PLUGINS; None for all."""
    names = os.environ.get("ZOO_PLUGINS")
    return None if names is None else frozenset(name.strip() for name in names.split(",") if name.strip())


def left_out(name: str, distribution: str = "") -> bool:
    """Whether ZOO_PLUGINS or --no-plugins excludes a third-party plugin."""
    wanted = _wanted()
    return wanted is not None and not any(
        name == entry or same_distribution(distribution or name, entry) for entry in wanted
    )


def _why_off(name: str, distribution: str, switches: Mapping[str, str | bool]) -> str:
    """Why a third-party plugin is disabled; empty if it is enabled."""
    if left_out(name, distribution):
        return "excluded by ZOO_PLUGINS or --no-plugins"
    if switches.get(name) is False or switches.get(distribution) is False:
        return "disabled in registry.toml"
    return ""


def shipped_sources(shipped: Menu, users: Menu) -> list[Source]:
    """The shipped plugins."""
    return [
        Source(
            name,
            "shipped",
            str(target),
            SHIPPED,
            zoo.__version__,
            off="disabled in registry.toml" if users.plugins.get(name) is False else "",
        )
        for name, target in shipped.plugins.items()
    ]


def local_sources(users: Menu, *, local: bool) -> list[Source]:
    """The modules and files that the user's `registry.toml` lists."""
    listed = "listed in ./registry.toml, whose code is loaded only with --local or ZOO_LOCAL=1"
    sources = []
    for name, target in users.plugins.items():
        if isinstance(target, str):
            off = _why_off(name, name, {}) or ("" if local else listed)
            path = str(users.path.parent / target) if target.endswith(".py") else target
            sources.append(_local(name, path, off))
    return sources


def _local(name: str, path: str, off: str) -> Source:
    try:
        sha256 = file_digest(Path(path))
        return Source(name, "local", path, name, sha256[:SHOWN], off, sha256=sha256)
    except OSError as error:
        return Source(name, "local", path, name, off=off, broken=f"it cannot be read: {error.strerror}")


def file_source(path: Path, written: str) -> Source:
    """The source of a file that a recipe names."""
    sha256 = file_digest(path)
    return Source(path.stem, "file", str(path), written, sha256[:SHOWN], sha256=sha256)


def file_digest(path: Path) -> str:
    """The sha256 of a file of code; empty if there is no file."""
    return sha256_of(path, "code") if path.is_file() else ""


def is_digest(stored: str) -> bool:
    """Whether a stored text is a digest of a file: a sha256, or the first digits of one in older files."""
    return DIGEST.fullmatch(stored) is not None


def is_same(digest: str, stored: str) -> bool:
    """Whether a digest is the stored one, of which older bundles, runs and searches have the first digits."""
    return digest == stored or (len(stored) == SHOWN and digest.startswith(stored))


def installed_sources(users: Menu) -> list[Source]:
    """The plugins that pip installed, from their metadata.

    A distribution can occur twice, for example if Python starts in the folder of an editable installation;
    the first on the path is the one that Python imports.
    """
    by_distribution: dict[str, list[Source]] = {}
    for package in _packages():
        offered = list(_offered(package, users))
        if offered:
            by_distribution.setdefault(_normalised(offered[0].distribution), offered)
    sources = [source for offered in by_distribution.values() for source in offered]
    return sorted(sources, key=lambda source: (source.distribution, source.name))


def _packages() -> Iterator[Distribution]:
    """The installed packages with an entry point in our group.

    Globbing is faster than `importlib.metadata`, whose import takes a tenth of the time of `zoo list` and is
    rarely needed.

    Metadata in the current folder are ignored even if Python imports from it, since the folder may have been
    downloaded; they are read if pip installs into that folder or PYTHONPATH names it.
    """
    current = Path.cwd()
    for folder in dict.fromkeys(sys.path):
        if Path(folder).resolve() == current and not _holds_packages(current):
            continue
        for points in Path(folder).glob("*-info/entry_points.txt"):
            if _names_group(points):
                from importlib.metadata import Distribution

                yield Distribution.at(points.parent)


def _holds_packages(folder: Path) -> bool:
    """Whether pip installs into the folder, or the user has added it to PYTHONPATH."""
    added = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return folder in {Path(place).resolve() for place in (*getsitepackages(), getusersitepackages(), *added)}


def _names_group(points: Path) -> bool:
    try:
        return GROUP.encode() in points.read_bytes()
    except OSError:
        return False


def _offered(package: Distribution, users: Menu) -> Iterator[Source]:
    try:
        name, version = package.metadata["Name"], package.version
        if not name or not version:
            raise ValueError("the name or the version is missing")
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
