"""Every package that is imported is declared, every declared one is used, and all are on the bill."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_imported_is_declared_and_what_is_declared_is_used() -> None:
    assert script("audit").audit() == []


@pytest.mark.parametrize(
    ("source", "needs", "problem"),
    [
        ("import numpy", '"numpy"', None),
        ("def f():\n    from numpy.linalg import norm", '"numpy>=1; python_version > 3"', None),
        ("import numpy", "", "zoo/a.py imports numpy, which pyproject.toml does not declare"),
        ("", '"numpy"', "numpy is declared, and no module imports it"),
        (
            "import no_such_module",
            "",
            "zoo/a.py imports no_such_module, which pyproject.toml does not declare",
        ),
        ("from . import b\nimport zoo.x, os", "", None),
    ],
)
def test_the_audit_sees_each_fault(source: str, needs: str, problem: str | None, tmp_path: Path) -> None:
    tables = f"[project]\ndependencies = [{needs!s}]\n[project.optional-dependencies]\ndev = []\n"
    (tmp_path / "pyproject.toml").write_text(tables.replace('> 3"', "> '3'\""))
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "a.py").write_text(source)
    assert script("audit").audit(tmp_path) == ([problem] if problem else [])


def test_the_bill_lists_all_that_polyzoo_needs() -> None:
    bill = script("sbom").bill()
    names = {part["name"] for part in bill["components"]}
    assert script("audit").declared()[""] <= names
    assert bill["metadata"]["component"]["name"] == "polyzoo"
    refs = {part["bom-ref"] for part in [*bill["components"], bill["metadata"]["component"]]}
    assert all({line["ref"], *line["dependsOn"]} <= refs for line in bill["dependencies"])
    assert all(part["version"] for part in bill["components"])
    assert json.dumps(bill) == json.dumps(script("sbom").bill())
