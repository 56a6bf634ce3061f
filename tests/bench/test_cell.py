"""Cells: the number of trainings that a study needs, and which of them are the same."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from zoo.bench import cell as cell_module
from zoo.bench import reading as reading_module
from zoo.bench.assembly import tables
from zoo.bench.cell import Cell, FloorsCell, isolated, question
from zoo.bench.components import components, floor_cells
from zoo.bench.reading import READING
from zoo.bench.results import Results
from zoo.bench.study import Study, read_study
from zoo.bench.work import do
from zoo.data import Corpus
from zoo.data.piece import SourcePiece
from zoo.data.source import DataSource
from zoo.data.split import Split
from zoo.data.writing import write_store
from zoo.music.meter import Meter
from zoo.music.roll import Roll
from zoo.registry import Registry, parse_recipe
from zoo.train.settings import LEGACY, TrainSettings

Read = Callable[..., Study]


@pytest.fixture
def cell(registry: Registry) -> Cell:
    recipe = parse_recipe("attention=none velocity=lstm", registry)
    return Cell("core", recipe, "bach", "test", TrainSettings(steps=4), 0)


def test_product_of_parts_needs_one_training_per_part(study: Read, registry: Registry) -> None:
    grid = """
    attention = ["none", "history", "lags", "latency"]
    sampler = ["independent", "voices"]
    decoder = ["lstm", "rbm", "uniform"]
    velocity = ["mean", "lstm"]
    """
    parsed = study('data = "tunes"', grid)
    assert len(parsed.combinations) == 48
    terms = [component.term for component in components(parsed, registry)]
    assert {term: terms.count(term) for term in terms} == {"core": 8, "decoder": 3, "velocity": 2}
    assert len(floor_cells(parsed)) == 1


def test_components_are_separate_for_encoders_and_datasets(study: Read, registry: Registry) -> None:
    parsed = study('data = ["a", "b"]', 'encoder = ["onset", "sounding"]\ndecoder = ["lstm", "rbm"]')
    assert len(components(parsed, registry)) == 2 * (2 + 2 * 2)
    assert len(floor_cells(parsed)) == 2 * 2


def test_velocity_is_trained_only_if_rows_and_music_have_it(study: Read, registry: Registry) -> None:
    silent = study(grid='velocity = "none"')
    assert [component.term for component in components(silent, registry)] == ["core", "decoder"]
    loud = study(grid='velocity = "lstm"')
    velocity = components(loud, registry)[-1]
    assert velocity.suits({"onset", "velocity"})
    assert not velocity.suits({"onset"})


def test_other_parts_do_not_change_the_cell(registry: Registry) -> None:
    first = parse_recipe("attention=lags decoder=rbm velocity=mean", registry)
    second = parse_recipe("attention=lags decoder=lstm", registry)
    assert isolated(first, "core", registry).digest == isolated(second, "core", registry).digest
    assert isolated(first, "decoder", registry).digest != isolated(second, "decoder", registry).digest


@pytest.mark.parametrize(
    "words",
    [
        {"term": "decoder"},
        {"data": "pop909"},
        {"split": "valid"},
        {"seed": 1},
        {"train": TrainSettings(steps=5)},
        {"train": TrainSettings(steps=4, lr=0.02)},
        {"train": TrainSettings(minutes=4)},
        {"train": TrainSettings(steps=4, transpose=False)},
        {"train": TrainSettings(steps=4, schedule="cosine")},
        {"train": TrainSettings(steps=4, lr_core=0.02)},
    ],
)
def test_key_changes_with_everything_that_changes_the_result(cell: Cell, words: dict[str, Any]) -> None:
    assert dataclasses.replace(cell, **words).key != cell.key


@pytest.mark.parametrize(
    "words", ["attention=history", "attention=none attention.local=3", "encoder=sounding"]
)
def test_the_key_changes_with_the_recipe(cell: Cell, words: str, registry: Registry) -> None:
    recipe = parse_recipe(f"velocity=lstm {words}", registry)
    assert dataclasses.replace(cell, recipe=recipe).key != cell.key


def test_the_key_changes_with_the_yardstick(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cell.key, FloorsCell("onset", "bach", "test").key
    monkeypatch.setattr(cell_module, "YARDSTICK", cell_module.YARDSTICK + 1)
    assert dataclasses.replace(cell).key != before[0]
    assert FloorsCell("onset", "bach", "test").key != before[1]


def test_the_key_does_not_change_with_the_device(cell: Cell) -> None:
    elsewhere = TrainSettings(steps=4, device="cuda")
    assert dataclasses.replace(cell, train=elsewhere).key == cell.key


def test_floors_differ_by_plane_music_and_split() -> None:
    given = [
        ("onset", "a", "test"),
        ("sounding", "a", "test"),
        ("onset", "b", "test"),
        ("onset", "a", "valid"),
    ]
    assert len({FloorsCell(*words).key for words in given}) == 4


def test_stored_results_keep_their_names(registry: Registry) -> None:
    """Keys of stored results, which took days to compute, must not change."""
    recipe = isolated(parse_recipe("rates", registry), "core", registry)
    train = TrainSettings(steps=600, lr=0.003, patience=0)  # as studies have it
    cell = Cell("core", recipe, "bach", "test", train, 0)
    assert cell.name == "core-keys-last-rates-s0-6e02d80edc4301ec"
    assert FloorsCell("onset", "bach", "test").name == "floors-onset-06d29e6b90f32f98"


def test_stored_results_stay_in_their_tables_when_a_counter_is_raised(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They then count as results of an earlier reading."""
    monkeypatch.setattr(cell_module, "TRAINING", cell_module.TRAINING + 1)
    monkeypatch.setattr(reading_module, "READING", reading_module.READING + 1)
    folder = Path(__file__).parents[2] / "benchmarks" / "studies"
    files = sorted(folder.glob("*.toml"))
    assert files
    for file in files:
        for table in tables(read_study(file, registry), Results(folder / "results"), registry):
            assert not table.missing
            assert table.is_earlier


def test_a_question_is_the_same_whatever_the_device_and_the_place(cell: Cell) -> None:
    elsewhere = dataclasses.replace(cell, train=TrainSettings(steps=4, device="cuda"))
    assert question(elsewhere.order("/there")) == question(cell.order("/here"))
    order = {name: value for name, value in cell.order("/here").items() if name not in ("name", "place")}
    assert question(order) == question(cell.order("/here"))


@pytest.mark.parametrize(
    "words",
    [
        {"term": "decoder"},
        {"data": "pop909"},
        {"split": "valid"},
        {"seed": 1},
        {"train": TrainSettings(steps=5)},
        {"train": TrainSettings(steps=4, lr=0.02)},
    ],
)
def test_different_orders_have_different_questions(cell: Cell, words: dict[str, Any]) -> None:
    assert question(dataclasses.replace(cell, **words).order("")) != question(cell.order(""))


def test_other_code_in_a_file_is_another_question(cell: Cell) -> None:
    order = cell.order("") | {"files": {"attention": "0" * 64}}
    assert question(order) != question(cell.order(""))
    assert question(order | {"files": {"attention": "1" * 64}}) != question(order)


def test_new_setting_does_not_change_old_questions(cell: Cell) -> None:
    order = cell.order("")
    order["train"] = {name: value for name, value in order["train"].items() if name not in LEGACY}
    assert question(order) == question(cell.order(""))
    changed = dataclasses.replace(cell, train=TrainSettings(steps=4, schedule="cosine"))
    assert question(order) != question(changed.order(""))


def test_cell_name_is_a_valid_file_name(cell: Cell) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", cell.name)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", cell_module.folder_of("../my songs/ä"))
    assert cell_module.folder_of("..") not in ("..", ".", "")


def test_order_has_everything_a_worker_needs(cell: Cell) -> None:
    order = cell.order("/music")
    assert order["place"] == "/music"
    assert order["data"] == "bach"
    assert TrainSettings(**order["train"]) == cell.train


def test_existing_training_is_not_repeated(
    study: Read, registry: Registry, songs: Path, tmp_path: Path
) -> None:
    small_study = study('data = "tunes"', 'attention = "last"\nsampler = "independent"', "steps = 3")
    order = components(small_study, registry)[0].cell(small_study, small_study.rates[0], 0).order(str(songs))
    first = do(order, tmp_path / "run")
    assert (first["data"]["reading"], first["data"]["grid"]) == (READING, 4)
    metrics = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert [json.loads(line)["step"] for line in metrics.splitlines() if "stepped" in line] == [1, 2, 3]
    assert do(order, tmp_path / "run") == first
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == metrics


def eighths() -> Iterator[SourcePiece]:
    """Pieces of one repeated note each, on a grid of eighths."""
    for number, split in enumerate(get_args(Split)):
        onset = np.zeros((24, 88), np.bool_)
        onset[::2, 30 + number] = True
        yield SourcePiece(f"tune {number}", Roll(onset, onset, meter=Meter.of(grid=2)), split)


def test_a_cell_is_trained_on_the_grid_of_its_music(
    study: Read, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = frozenset({"onset", "sounding"})
    store = write_store(DataSource("tunes", planes, 3, eighths, "tunes", "", grid=2), tmp_path / "cache")
    monkeypatch.setattr("zoo.data.open_corpus", lambda place: Corpus("tunes", store))
    small_study = study('data = "tunes"', 'attention = "lags"\nsampler = "independent"', "steps = 2")
    cell = components(small_study, registry)[0].cell(small_study, small_study.rates[0], 0)
    parsed = do(cell.order("tunes"), tmp_path / "run")
    assert (parsed["data"]["grid"], parsed["learns"]) == (2, True)
    assert question(parsed["order"]) == question(cell.order(""))
