"""Three third-party plugins, installed by pip: one working, one broken, one named like a shipped part."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from zoo.registry import open_registry
from zoo.scaffold.writing import write_package

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pip")]  # what they share is built once

Zoo = Callable[..., subprocess.CompletedProcess[str]]


def write_sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The source folders of the three plugins."""
    monkeypatch.chdir(folder)
    registry = open_registry()
    write_package("echo", "attention", registry)
    write_package("broken", "attention", registry)
    write_package("crowd", "decoder", registry)
    Path("polyzoo-broken/polyzoo_broken/__init__.py").write_text("import no_such_module\n")
    description = Path("polyzoo-crowd/polyzoo_crowd/__init__.py")
    description.write_text(description.read_text().replace('name="crowd"', 'name="lstm"'))
    return [folder / f"polyzoo-{name}" for name in ("echo", "broken", "crowd")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip installed the three into."""
    try:
        enough = int(version("setuptools").partition(".")[0]) >= 71 and version("pip")
    except PackageNotFoundError:
        enough = False
    if not enough:
        pytest.skip("needs pip and setuptools 71 or newer to build a package without a network")
    target = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as monkeypatch:
        sources = write_sources(tmp_path_factory.mktemp("sources"), monkeypatch)
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def zoo(site: Path, tmp_path: Path) -> Zoo:
    """Run a command line in a process that finds the three."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZOO_")}
    environment = {**inherited, "PYTHONPATH": str(site)}

    def zoo(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "zoo", *words]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return zoo


def test_working_plugin_is_listed_and_passes_its_checks(zoo: Zoo) -> None:
    rows = json.loads(zoo("list", "attention", "--json").stdout)
    (row,) = [row for row in rows if row["name"] == "echo"]
    assert (row["word"], row["distribution"], row["version"]) == ("echo", "polyzoo-echo", "0.1.0")
    built = zoo("build", "attention=echo", "--json")
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    assert json.loads(built.stdout)["parts"]["attention"]["name"] == "echo"
    checked = zoo("plugin", "check", "attention.echo")
    assert checked.returncode == 0, checked.stdout
    assert "passed   plugin_loads_without_torch" in checked.stdout


def test_broken_plugin_is_reported_and_affects_nothing_else(zoo: Zoo) -> None:
    why = "importing it failed: ModuleNotFoundError: No module named 'no_such_module'"
    remedy = "fix it, or remove it with `pip uninstall polyzoo-broken`"
    listed = zoo("list")
    assert listed.returncode == 0
    assert "echo" in listed.stdout
    assert f"plugin broken (polyzoo-broken 0.1.0): {why}" in listed.stderr
    assert remedy in listed.stderr
    (row,) = [row for row in plugins(zoo) if row["plugin"] == "broken"]
    assert (row["status"], row["distribution"], row["version"]) == ("failed", "polyzoo-broken", "0.1.0")
    assert row["reason"].startswith(why)
    assert row["remedy"] == remedy
    result = zoo("build", "attention=polyzoo-broken/broken")
    assert result.returncode == 4
    assert "polyzoo-broken 0.1.0" in result.stderr
    assert remedy in result.stderr
    assert zoo("build").returncode == 0


def test_shipped_part_wins_and_the_other_needs_its_distribution(zoo: Zoo) -> None:
    (row,) = [row for row in plugins(zoo) if row["plugin"] == "crowd"]
    assert (row["status"], row["distribution"]) == ("shadowed", "polyzoo-crowd")
    assert row["reason"].startswith("decoder.lstm by polyzoo ")
    assert row["remedy"] == "write decoder=polyzoo-crowd/lstm"
    shipped, shadowed = (
        json.loads(zoo("build", f"decoder={word}", "--json").stdout)["parts"]["decoder"]
        for word in ("lstm", "polyzoo-crowd/lstm")
    )
    assert shipped["settings"]["hidden"] != shadowed["settings"]["hidden"]
    assert zoo("plugin", "check", "decoder.polyzoo-crowd/lstm").returncode == 0


def plugins(zoo: Zoo) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(zoo("plugin", "list", "--json").stdout)
    assert {row["status"] for row in rows if row["distribution"] == "polyzoo"} == {"ok"}
    return rows
