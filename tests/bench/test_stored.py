"""Stored results: damaged ones are rejected when read, with the file and a hint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.reading import READING, MusicReading
from zoo.bench.results import Results
from zoo.bench.work import SPECIFIC
from zoo.errors import BundleError, ZooError
from zoo.files import write_file
from zoo.registry import Registry, parse_recipe
from zoo.train.settings import TrainSettings

Content = dict[str, Any]
FLOORS = FloorsCell("onset", "tunes", "test")


@pytest.fixture
def core(registry: Registry) -> Cell:
    return Cell("core", parse_recipe("attention=none", registry), "tunes", "test", TrainSettings(steps=2), 0)


def evaluation(*terms: str) -> Content:
    return {
        "pieces": ["one", "two"],
        "frames": [10, 20],
        "struck": [3, 4],
        "terms": {name: {"kind": "bound", "nats": [1.5, 2], "variance": [0.1, 0.2]} for name in terms},
        "remarks": {"escaped": [0, 1]},
    }


def trained() -> Content:
    return {
        "data": {"digest": "d" * 64, "planes": ["onset"]},
        "made": {},
        "learns": True,
        "parameters": 5,
        "parts": {"encoder": "x 1", "attention": "x 1", "sampler": "x 1"},
        "validation": 2.0,
        "seconds": 1.0,
        "evaluation": evaluation("codes", "residual"),
    }


def floors() -> Content:
    evaluations = {"rates": evaluation("codes", "keys", "residual"), "velocity=mean": evaluation("velocity")}
    return {"data": trained()["data"], "made": {}, "floors": evaluations}


def put(folder: Path, cell: Cell | FloorsCell, content: Any) -> Results:
    results = Results(folder)
    if isinstance(content, dict):
        content.setdefault("order", cell.order(""))
    results.path(cell).parent.mkdir(parents=True)
    results.path(cell).write_text(json.dumps(content))
    return results


def test_valid_results_are_read_unchanged(core: Cell, tmp_path: Path) -> None:
    training, counted = trained(), floors()
    assert put(tmp_path / "one", core, training).read(core) == training
    assert put(tmp_path / "two", FLOORS, counted).read(FLOORS) == counted
    broken_off = trained() | {"evaluation": None, "validation": None}
    del broken_off["seconds"]
    assert put(tmp_path / "three", core, broken_off).read(core) == broken_off


def earlier(cell: Cell, name: str, folder: Path) -> tuple[Results, Path]:
    """A result of the first reading, which has no version, under an old name."""
    results, order = Results(folder), {**cell.order("/there"), "name": name}
    results.path(cell).parent.mkdir(parents=True)
    path = results.path(cell).with_name(f"{name}.json")
    path.write_text(json.dumps({"order": order, **trained()}))
    return results, path


def test_a_copy_of_the_result_of_another_cell_is_damaged(core: Cell, tmp_path: Path) -> None:
    other = replace(core, seed=1)
    results = put(tmp_path, other, trained())
    results.path(other).rename(results.path(core))
    with pytest.raises(ZooError, match="damaged"):
        results.read(core)


def test_result_of_an_earlier_reading_is_matched_by_its_question(core: Cell, tmp_path: Path) -> None:
    results, _ = earlier(core, "core-none-s0-0123", tmp_path)
    content = results.read(core)
    assert content is not None
    assert MusicReading.of(content).is_earlier
    assert results.read(replace(core, seed=1)) is None
    assert results.read(replace(core, train=TrainSettings(steps=3))) is None


def test_result_of_the_current_reading_needs_its_own_name(core: Cell, tmp_path: Path) -> None:
    """It belongs to another part, or to a training run with other weights."""
    results, path = earlier(core, "core-none-s0-0123", tmp_path)
    content = json.loads(path.read_text())
    content["data"]["reading"] = READING
    path.write_text(json.dumps(content))
    assert results.read(core) is None


def test_new_result_replaces_that_of_an_earlier_reading(core: Cell, tmp_path: Path) -> None:
    results, path = earlier(core, "core-none-s0-0123", tmp_path)
    now = {"order": core.order("/here"), **trained(), "data": {**trained()["data"], "reading": READING}}
    results.write(core, now)
    assert not path.exists()
    assert results.read(core) == Results(tmp_path).read(core) == now


def test_damaged_result_of_an_earlier_reading_is_reported(core: Cell, tmp_path: Path) -> None:
    results, path = earlier(core, "core-none-s0-0123", tmp_path)
    content = json.loads(path.read_text())
    content["evaluation"]["frames"].pop()
    path.write_text(json.dumps(content))
    with pytest.raises(ZooError, match=path.name):
        results.read(core)


@pytest.mark.parametrize("name", trained())
def test_a_result_without_one_of_its_keys_is_damaged(name: str, core: Cell, tmp_path: Path) -> None:
    content = trained()
    del content[name]
    refused(tmp_path, core, content)


CUTS: dict[str, Callable[[Content], Any]] = {
    "no digest": lambda c: c["data"].pop("digest"),
    "no reading at all": lambda c: c["data"].update(reading=0),
    "half a reading": lambda c: c["data"].update(reading=1.5),
    "no frames per quarter note": lambda c: c["data"].update(grid=0),
    "less than no leaks": lambda c: c["data"].update(leaks=-1),
    "no planes": lambda c: c["data"].pop("planes"),
    "no kind": lambda c: c["evaluation"]["terms"]["codes"].pop("kind"),
    "unknown kind": lambda c: c["evaluation"]["terms"]["codes"].update(kind="certain"),
    "a piece less": lambda c: c["evaluation"]["pieces"].pop(),
    "no pieces": lambda c: c["evaluation"].update(pieces=[], frames=[], struck=[], terms={}, remarks={}),
    "a family for some pieces": lambda c: c["evaluation"].update(families=[3]),
    "a family without a number": lambda c: c["evaluation"].update(families=[3, 3.5]),
    "a length less": lambda c: c["evaluation"]["frames"].pop(),
    "a note count less": lambda c: c["evaluation"]["struck"].pop(),
    "a number less": lambda c: c["evaluation"]["terms"]["codes"]["nats"].pop(),
    "a variance less": lambda c: c["evaluation"]["terms"]["codes"]["variance"].pop(),
    "a remark less": lambda c: c["evaluation"]["remarks"]["escaped"].pop(),
    "not a number": lambda c: c["evaluation"]["terms"]["codes"]["nats"].__setitem__(0, float("nan")),
    "endless": lambda c: c["evaluation"]["terms"]["residual"]["nats"].__setitem__(0, float("inf")),
    "a text": lambda c: c["evaluation"]["terms"]["codes"]["nats"].__setitem__(0, "1.5"),
    "validation of nan": lambda c: c.update(validation=float("nan")),
    "no core": lambda c: c["evaluation"]["terms"].pop("codes"),
    "no residual": lambda c: c["evaluation"]["terms"].pop("residual"),
    "another term": lambda c: c["evaluation"].update(evaluation("keys")),
    "no version of a part": lambda c: c["parts"].pop("sampler"),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_truncated_or_edited_result_is_damaged(
    cut: Callable[[Content], Any], core: Cell, tmp_path: Path
) -> None:
    content = trained()
    cut(content)
    refused(tmp_path, core, content)


@pytest.mark.parametrize(
    "cut",
    [
        lambda c: c["floors"]["rates"]["terms"].pop("keys"),
        lambda c: c["floors"]["rates"]["frames"].pop(),
        lambda c: c["floors"]["velocity=mean"].update(struck=None),
        lambda c: c.update(floors=[]),
    ],
)
def test_truncated_floors_are_damaged(cut: Callable[[Content], Any], tmp_path: Path) -> None:
    content = floors()
    cut(content)
    refused(tmp_path, FLOORS, content)


@pytest.mark.parametrize("content", [None, [], "text", 1])
def test_other_content_is_a_damaged_result(content: Any, core: Cell, tmp_path: Path) -> None:
    refused(tmp_path, core, content)


def refused(folder: Path, cell: Cell | FloorsCell, content: Any) -> None:
    results = put(folder / "results", cell, content)
    with pytest.raises(ZooError, match="this result is damaged") as caught:
        results.read(cell)
    (problem,) = caught.value.problems
    assert problem.where == str(results.path(cell))
    assert "remove the file" in problem.hint


def ordered(cell: Cell | FloorsCell) -> Content:
    """A result as `zoo bench run` stores it."""
    order = {name: value for name, value in cell.order("").items() if name not in SPECIFIC}
    content = trained() if isinstance(cell, Cell) else floors()
    return {"order": order, **content}


def test_packed_results_are_read_as_before(core: Cell, tmp_path: Path) -> None:
    results = Results(tmp_path)
    cells = [core, replace(core, seed=1), FLOORS]
    for cell in cells:
        results.write(cell, ordered(cell))
    assert results.pack("tunes") == 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["tunes.jsonl"]
    assert [Results(tmp_path).read(cell) for cell in cells] == [ordered(cell) for cell in cells]
    names = [
        json.loads(line)["order"]["name"] for line in (tmp_path / "tunes.jsonl").read_text().splitlines()
    ]
    assert names == sorted(cell.name for cell in cells)


def test_new_result_overrides_and_replaces_the_packed_one(core: Cell, tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.write(core, ordered(core))
    results.pack("tunes")
    results.write(core, ordered(core) | {"seconds": 7.0})
    assert Results(tmp_path).read(core) == ordered(core) | {"seconds": 7.0}
    assert results.pack("tunes") == 1
    assert Results(tmp_path).read(core) == ordered(core) | {"seconds": 7.0}


def test_an_earlier_reading_in_a_pack_is_found_and_replaced(core: Cell, tmp_path: Path) -> None:
    results = Results(tmp_path)
    old = ordered(core)
    old["order"]["name"] = "core-of-another-time"
    results.folder_of("tunes").mkdir()
    (results.folder_of("tunes") / "core-of-another-time.json").write_text(json.dumps(old))
    results.pack("tunes")
    content = Results(tmp_path).read(core)
    assert content is not None
    assert MusicReading.of(content).is_earlier
    new = ordered(core)
    new["data"]["reading"] = READING
    results = Results(tmp_path)
    results.write(core, new)
    assert Results(tmp_path).read(core) == new
    assert results.pack("tunes") == 1
    assert Results(tmp_path).read(core) == new


def test_packing_keeps_the_results_of_every_version_of_a_part(core: Cell, tmp_path: Path) -> None:
    """Their questions are equal; which one a study needs depends on the code that is there."""
    results = Results(tmp_path)
    names = [core.name, "core-of-code-before", "core-of-a-file-in-another-study"]
    results.folder_of("tunes").mkdir()
    for seconds, name in enumerate(sorted(names)):
        result = ordered(core) | {"seconds": float(seconds)}
        result["order"]["name"] = name
        result["data"]["reading"] = READING
        (results.folder_of("tunes") / f"{name}.json").write_text(json.dumps(result))
    before = results.read(core)
    assert before is not None
    assert results.pack("tunes") == 3
    assert Results(tmp_path).read(core) == before
    assert Results(tmp_path).names() == set(names)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"order": {}}', '{"order": {"name": 5}}', "\xff", "[" * 100_000]
)
def test_damaged_line_of_a_pack_is_reported(core: Cell, tmp_path: Path, line: str) -> None:
    results = Results(tmp_path)
    results.write(core, ordered(core))
    results.pack("tunes")
    with (tmp_path / "tunes.jsonl").open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    with pytest.raises(ZooError, match="line 2 is damaged") as caught:
        Results(tmp_path).read(core)
    assert caught.value.problems[0].where == str(tmp_path / "tunes.jsonl")


def test_a_result_that_may_not_be_read_is_not_called_damaged(
    core: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be good: the user would be told to remove it."""
    results = put(tmp_path, core, trained())
    error = PermissionError(13, "Permission denied")
    monkeypatch.setattr("zoo.bench.results.read_bytes", Mock(side_effect=error))
    for read in (lambda: results.read(core), lambda: results.every("tunes"), lambda: results.pack("tunes")):
        with pytest.raises(ZooError, match="cannot be read: Permission denied"):
            read()
    assert results.path(core).exists()


def test_a_result_that_is_replaced_while_others_are_packed_stays(
    core: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, newer = Results(tmp_path), ordered(core) | {"seconds": 7.0}
    results.write(core, ordered(core))

    def write_after_another(path: Path, content: str) -> None:
        monkeypatch.undo()
        Results(tmp_path).write(core, newer)
        write_file(path, content)

    monkeypatch.setattr("zoo.bench.results.write_file", write_after_another)
    results.pack("tunes")
    assert Results(tmp_path).read(core) == newer


def test_a_file_that_is_no_result_is_not_packed(core: Cell, tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.write(core, ordered(core))
    (results.folder_of("tunes") / "notes.json").write_text("{}")
    with pytest.raises(ZooError, match="damaged"):
        results.pack("tunes")
    assert results.path(core).exists()


def test_a_result_under_another_name_does_not_replace_that_of_its_cell(core: Cell, tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.write(core, ordered(core) | {"seconds": 1.0})
    before = results.path(core).with_name("before.json")
    shutil.copy(results.path(core), before)
    results.write(core, ordered(core) | {"seconds": 7.0})
    with pytest.raises(ZooError, match=f"a result of {core.name}, under another name") as raised:
        results.pack("tunes")
    assert raised.value.problems[0].where == str(before)
    before.unlink()
    results.pack("tunes")
    assert (Results(tmp_path).read(core) or {})["seconds"] == 7.0


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"data": {"digest": "d" * 64, "planes": [], "reading": 9}}]
)
def test_a_result_of_a_newer_version_names_the_version_that_reads_it(
    change: Content, core: Cell, tmp_path: Path
) -> None:
    content = {**trained(), **change, "made": {"polyzoo": "1.4.0"}}
    with pytest.raises(BundleError, match=r"was written by polyzoo 1\.4\.0") as raised:
        put(tmp_path, core, content).read(core)
    assert raised.value.problems[0].hint == "pip install -U 'polyzoo>=1.4.0'"


@pytest.mark.parametrize("number", ["x", -5, True, None])
def test_the_format_of_a_result_is_a_positive_integer(number: object, core: Cell, tmp_path: Path) -> None:
    refused(tmp_path, core, {**trained(), "format": number})
