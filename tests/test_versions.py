"""`make versions` tests the oldest and the newest versions that pyproject.toml allows."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
NEED = re.compile(r"([\w-]+)>=([\d.]+)(,<[\d.]+)?")


@pytest.fixture(scope="module")
def noxfile() -> ModuleType:
    pytest.importorskip("nox", reason="`make versions` needs the extra `dev`")
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bounds(needs: list[str]) -> Iterator[tuple[str, str]]:
    """Each package, and the lowest version that is allowed."""
    for need in needs:
        match = NEED.fullmatch(need)
        assert match, f"{need} states no lower bound"
        yield match[1], match[2]


def test_the_oldest_pins_are_the_lower_bounds(noxfile: ModuleType) -> None:
    needs = [need for extra, needs in EXTRAS.items() if extra != "dev" for need in needs]
    expected = sorted(f"{name}=={lowest}" for name, lowest in bounds([*PROJECT["dependencies"], *needs]))
    assert sorted(noxfile.oldest_pins()) == expected
    assert len(expected) > 20


def test_a_package_has_the_same_bound_in_every_extra() -> None:
    lowest: dict[str, set[str]] = {}
    for needs in [PROJECT["dependencies"], *EXTRAS.values()]:
        for name, version in bounds(needs):
            lowest.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in lowest.items() if len(versions) > 1} == {}


def test_sessions_use_the_first_and_the_last_python_that_is_supported(noxfile: ModuleType) -> None:
    prefix = "Programming Language :: Python :: 3."
    minors = sorted(
        int(text.removeprefix(prefix)) for text in PROJECT["classifiers"] if text.startswith(prefix)
    )
    first, last = f"3.{minors[0]}", f"3.{minors[-1]}"
    assert PROJECT["requires-python"] == f">={first}"
    assert (noxfile.oldest.python, noxfile.newest.python) == (first, last)
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert f"Python {first} to {last}" in (ROOT / "docs" / "security.md").read_text("utf-8")


def test_both_ends_install_the_wheel_with_all_extras_and_the_sdist_alone(noxfile: ModuleType) -> None:
    for session in (noxfile.oldest, noxfile.newest):
        cases = {str(case): case.call_spec for case in session.parametrize}
        assert cases["wheel"]["extras"] == sorted(EXTRAS.keys() - {"dev"})
        assert cases["sdist"] == {"pattern": "*.tar.gz", "extras": []}
