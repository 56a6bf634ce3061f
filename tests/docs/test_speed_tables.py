"""Tables of docs/speed.md are computed from results of the speed benchmarks."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = {"group": "a product of two matrices", "name": "float32", "ms": 20.0, "operations": 2_000_000_000}


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("speed_tables")


@pytest.fixture
def results(tables: ModuleType, tmp_path: Path) -> Path:
    folder = tmp_path / tables.RESULTS
    folder.mkdir(parents=True)
    return folder


def store(folder: Path, name: str, /, **facts: Any) -> None:
    (folder / f"{name}.json").write_text(json.dumps(facts))


def test_rows_are_relative_to_the_first_of_their_group(
    tables: ModuleType, results: Path, tmp_path: Path
) -> None:
    group = "the score of four pieces"
    first = {"group": group, "name": "sampler=one", "ms": 10.0, "frames": 1000, "operations": 100_000_000}
    second = {"group": group, "name": "sampler=two", "ms": 25.0, "frames": 1000, "operations": 0}
    store(results, "parts", rows=[PRODUCT, first, second])
    shown = tables.table_of_speed("scoring", tmp_path).splitlines()
    assert shown[-2] == "| `sampler=one` | 1.0 | 10 | 100,000 | 10 % |"
    assert shown[-1] == "| `sampler=two` | 2.5 | 25 | 40,000 | – |"


def test_the_slope_is_the_exponent_of_growth(tables: ModuleType) -> None:
    assert tables.slope([(1, 3.0), (2, 12.0), (4, 48.0)]) == pytest.approx(2)
    assert tables.slope([(8, 5.0), (16, 5.0)]) == pytest.approx(0)


def test_what_is_kept_beside_other_programs_is_the_middle_of_the_pairs(
    tables: ModuleType, results: Path
) -> None:
    pairs = [(100, 50), (10, 1), (100, 100)]
    rows = [
        {"others": others, "frames_per_processor_second": rate}
        for alone, beside in pairs
        for others, rate in ((0, alone), (2, beside))
    ]
    store(results, "busy", rows=rows)
    assert tables.Measured(results).kept == 0.5


def test_an_unknown_table_is_an_error(tables: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(tables.RegionError, match="there are goals, machine"):
        tables.table_of_speed("sped", tmp_path)


def test_every_table_is_in_the_document(tables: ModuleType) -> None:
    text = (ROOT / "docs" / "speed.md").read_text("utf-8")
    assert [name for name in tables.TABLES if f"<!-- speed: {name} -->" not in text] == []


def test_a_goal_is_met_once_its_measurement_reaches_it(
    tables: ModuleType, results: Path, tmp_path: Path
) -> None:
    for file in (ROOT / tables.RESULTS).iterdir():
        facts = json.loads(file.read_text("utf-8"))
        for row in facts["rows"]:
            if row.get("group") == "generation, by streams":
                row["ms"] = row["frames"] / 50  # 50,000 frames a second
        store(results, file.stem, **facts)
    [line] = [line for line in tables.table_of_speed("goals", tmp_path).splitlines() if "120 pieces" in line]
    assert line.endswith("| 50,000 | yes |")
