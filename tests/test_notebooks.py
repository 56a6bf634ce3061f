"""The notebooks run from the first cell to the last, and are stored without outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 100_000
"""Size of a notebook in bytes."""
SHOWN = {
    "listen": ("<img alt=", "<audio", "<caption"),
    "write_a_part": ("passed", "features_are_causal", "<td"),
    "compare": ("<caption", "longest copy", "<audio"),
}
"""What the outputs of each notebook contain."""


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def test_all_notebooks_are_tested() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert path.stat().st_size < LARGEST
    assert all(
        not cell.outputs and cell.execution_count is None for cell in notebook.cells if "outputs" in cell
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_links_of_a_notebook_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", "".join(cell.source for cell in read(path).cells))
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    from nbclient import NotebookClient

    notebook = read(path)
    for cell in notebook.cells:  # one chorale in ten, and a few steps
        few = cell.source.replace('open_corpus("bach")', 'open_corpus("bach").take(range(0, 371, 10))')
        cell.source = few.replace("steps=100", "steps=4")
    NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", ()))
    assert [text for text in SHOWN[path.stem] if text not in shown] == []
    errors = [
        output for cell in notebook.cells for output in cell.get("outputs", ()) if "stderr" in str(output)
    ]
    assert errors == []
