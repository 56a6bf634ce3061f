"""Plugins for tests: files, and packages with metadata as of pip."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., Path]

PLUGIN = """
from zoo.parts import Description, Settings, hookimpl, setting

class Wide(Settings):
    width: int = setting(8, "how wide it listens", ge=1, le=64)

@hookimpl
def zoo_parts():
    return [Description("SLOT", "NAME", "Made for a test", "no.such:Class", settings=Wide)]
"""


def plugin_code(slot: str = "attention", name: str = "mine") -> str:
    return PLUGIN.replace("SLOT", slot).replace("NAME", name)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings of the machine, no modules left behind, and an empty current folder."""
    for variable in ("ZOO_PLUGINS", "ZOO_LOCAL", "ZOO_STRICT", "ZOO_TRACE"):
        monkeypatch.delenv(variable, raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith(("zoo", "torch", "numpy")) or name.startswith("zoo_file"):
            del sys.modules[name]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package on the path with metadata that names it as a plugin of the zoo."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(
        name: str,
        code: str = "",
        *,
        version: str = "1.2",
        points: str | None = None,
        metadata: str | None = None,
    ) -> Path:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(code)
        info = site / f"{module}-{version}.dist-info"
        info.mkdir()
        header = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(header if metadata is None else metadata)
        entry = f"[zoo.plugins]\n{name.removeprefix('polyzoo-')} = {module}\n"
        (info / "entry_points.txt").write_text(entry if points is None else points)
        return site / f"{module}.py"

    return install
