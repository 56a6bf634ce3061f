"""The package as users install it: a wheel built from the sdist, in a fresh environment."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.message import Message
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.xdist_group("packaging")  # what they share is built once

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("zoo", "plugins")
PIP = ["-m", "pip", "--disable-pip-version-check", "--quiet"]
OFFLINE = ["--no-deps", "--no-index"]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"


def declared() -> set[str]:
    """The distributions that pyproject.toml requires, including extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    return {canonicalize_name(Requirement(each).name) for each in wanted}


def imported() -> Iterator[tuple[str, str]]:
    """Each file and the top-level packages that it imports."""
    for file in (file for folder in SOURCES for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += (
                [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            )
            yield from ((str(file.relative_to(ROOT)), name.partition(".")[0]) for name in names)


def test_every_package_that_is_imported_is_declared() -> None:
    own = {"zoo", "zoo_plugins", *sys.stdlib_module_names}
    distributions, known = packages_distributions(), declared()
    missing = {
        (file, name)
        for file, name in imported()
        if name not in own
        and not known & {canonicalize_name(each) for each in distributions.get(name, [name])}
    }
    assert not missing


def run(command: Sequence[str | Path], **options: object) -> str:
    done = subprocess.run(  # type: ignore[call-overload]
        list(map(str, command)), capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, built from a copy of the sources, which keeps the build's leftovers out of them."""
    try:
        recent = int(version("setuptools").partition(".")[0]) >= 77 and version("pip")
    except PackageNotFoundError:
        recent = False
    if not recent:
        pytest.skip("needs pip and setuptools 77 or newer to build a package without a network")
    copy, target = tmp_path_factory.mktemp("sources") / "polyzoo", tmp_path_factory.mktemp("sdist")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "benchmarks", "demo", "build", "dist", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=ignored)
    run([sys.executable, "-c", BUILD, target], cwd=copy)
    (archive,) = target.iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds from the sdist."""
    target = tmp_path_factory.mktemp("wheel")
    run([sys.executable, *PIP, "wheel", *OFFLINE, "--no-build-isolation", "-w", target, sdist])
    (archive,) = target.iterdir()
    return archive


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment that has the wheel, and the dependencies of this one."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    run([sys.executable, *PIP, "--python", python, "install", *OFFLINE, wheel])
    (packages,) = place.glob("lib/python*/site-packages")
    # A path in a .pth file comes last on sys.path, and an editable install there is not activated.
    (packages / "dependencies.pth").write_text(str(Path(np.__file__).parents[1]) + "\n")
    return place / "bin"


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


@pytest.mark.slow
def test_metadata_of_the_wheel(wheel: Path) -> None:
    fields = metadata(wheel)
    assert fields["Author"] == "polyzoo contributors"
    assert fields["License-Expression"] == "MIT"
    assert fields["Requires-Python"] == ">=3.11"
    assert fields["Description-Content-Type"] == "text/markdown"
    assert {"music", "midi"} <= set(fields["Keywords"].split(","))
    classifiers = fields.get_all("Classifier", [])
    assert "Programming Language :: Python :: 3.13" in classifiers
    assert {"rich>=14.3", "markupsafe>=2.1"} <= set(fields.get_all("Requires-Dist", []))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["zoo", "polyzoo"])
def test_an_empty_environment_lists_parts_and_writes_music(name: str, programs: Path, tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("ZOO_", "XDG_", "PYTHON"))
    }
    environment = {**inherited, "HOME": str(home)}
    rows = json.loads(run([programs / name, "list", "--json"], cwd=here, env=environment))
    assert {row["slot"] for row in rows} == {"encoder", "attention", "sampler", "decoder", "velocity"}
    assert str(programs.parent) in rows[0]["file"]
    run([programs / name, "generate", "bach", "-o", "x.mid"], cwd=here, env=environment)
    assert (here / "x.mid").read_bytes().startswith(b"MThd")
    assert [path.name for path in here.iterdir()] == ["x.mid"]
