"""Rows of a table: clear differences, published figures, and missing rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.bench.assembly import tables
from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.components import Component, components, floor_cells
from zoo.bench.formatted import format_tables
from zoo.bench.reading import EARLIER, READING, MusicReading
from zoo.bench.results import Results
from zoo.bench.rows import StudyRow
from zoo.bench.study import Study, read_study
from zoo.bench.verdict import verdict
from zoo.errors import ZooError
from zoo.measure.evaluation import Evaluation, Term
from zoo.measure.printing import latex, markdown
from zoo.registry import Registry
from zoo.report.leaderboard import leaderboard_rows

from .conftest import Tabled

Read = Callable[[str], Study]
PIECES = 12


@pytest.fixture
def read(tmp_path: Path, registry: Registry) -> Read:
    path = tmp_path / "study.toml"

    def read_text(text: str) -> Study:
        path.write_text(text)
        return read_study(path, registry)

    return read_text


def row(nats: list[list[float]], parameters: int) -> StudyRow:
    digests = tuple(map(str, range(len(nats[0]))))
    frames = np.ones(len(digests))
    evaluations = [Evaluation(digests, digests, frames, {"codes": Term(np.array(values))}) for values in nats]
    return StudyRow({}, "", tuple(evaluations), parameters={"core": parameters})


def test_single_seed_gives_no_clear_difference() -> None:
    low, high = [[1.0, 1.1, 1.0]], [[2.0, 2.2, 2.1]]
    assert not row(low, 5).minus(row(high, 5), "codes").is_clear
    assert row(low, 0).minus(row(high, 0), "codes").is_clear
    assert row(low * 5, 5).minus(row(high * 5, 5), "codes").is_clear


def test_intervals_of_rows_and_of_their_differences_are_over_families() -> None:
    nats = [[1.0, 1.0, 3.0, 4.0], [1.1, 1.1, 3.1, 4.1]]
    ungrouped, copied = row(nats, 0), row(nats, 0)
    in_families = tuple(replace(evaluation, families=(7, 7, 2, 3)) for evaluation in copied.evaluations)
    copied, floor = replace(copied, evaluations=in_families), row([[0.9, 0.9, 2.0, 3.0]], 0)
    assert copied.figure("codes").value == ungrouped.figure("codes").value
    assert (copied.figure("codes").families, ungrouped.figure("codes").families) == (3, 4)
    assert copied.figure("codes").half_width > ungrouped.figure("codes").half_width
    intervals = {copied.minus(floor, "codes").interval, ungrouped.minus(floor, "codes").interval}
    assert len(intervals) == 2
    # Results without families, from older versions, are paired with newer ones.
    assert floor.minus(copied, "codes").p_value == copied.minus(floor, "codes").p_value


def evaluation(terms: dict[str, float]) -> dict:
    """A stored evaluation with this mean of nats per frame, and small differences between pieces."""
    frames = [10] * PIECES
    nats = {name: [10 * value + 0.01 * number for number in range(PIECES)] for name, value in terms.items()}
    return {
        "pieces": [f"{number:02}" for number in range(PIECES)],
        "frames": frames,
        "struck": None,
        "terms": {name: {"kind": "exact", "nats": values, "variance": None} for name, values in nats.items()},
        "remarks": {},
    }


def result(cell: Cell | FloorsCell, level: float) -> dict:
    music = {"digest": "d" * 64, "planes": ["sounding"], "reading": READING}
    head = {"order": cell.order(""), "data": music, "made": {}}
    if isinstance(cell, FloorsCell):
        return {**head, "floors": {"rates": evaluation({"codes": 9.0, "keys": 0.0})}}
    term = {"core": "codes", "decoder": "keys"}[cell.term]
    nats = evaluation({term: level + 0.01 * cell.seed})
    known = {"validation": level + abs(cell.train.lr - 0.01), "learns": True, "parameters": 5, "seconds": 1.0}
    return {**head, **known, "evaluation": nats, "parts": dict.fromkeys(cell.recipe.parts, "x 1")}


def fill(study: Study, registry: Registry, results: Results) -> None:
    """Store results in which each core is one nat worse than the previous one."""
    for cell in floor_cells(study):
        results.write(cell, result(cell, 0))
    for level, component in enumerate(components(study, registry)):
        for cell in component.trials(study):
            results.write(cell, result(cell, 1.0 + level))
        for cell in chosen(component, study, results):
            results.write(cell, result(cell, 1.0 + level))


def chosen(component: Component, study: Study, results: Results) -> tuple[Cell, ...]:
    choice = component.selection(study, results)
    assert choice is not None
    return choice.cells


GRID = """
data = "tunes"
seeds = 5
[train]
steps = 3
lr = [0.01, 0.02]
[[grid]]
encoder = "sounding"
attention = ["none", "history"]
sampler = "independent"
[[published]]
name = "Published"
kind = "estimate"
source = "Example 2012"
nats = { tunes = 3.5, others = 1 }
"""


def test_a_table_ranks_rows_floors_and_the_literature(read: Read, registry: Registry, tmp_path: Path) -> None:
    small_study, results = read(GRID), Results(tmp_path / "results")
    fill(small_study, registry, results)
    (sheet,) = format_tables(tables(small_study, results, registry)[0])
    shown = [line.cells[:2] for line in sheet.lines]
    assert [cells[0] for cells in shown] == ["none", "Published", "history", "rates"]
    assert shown[1][1] == "~ 3.5"
    assert "Published: Example 2012" in sheet.explanations()
    assert sheet.lines[0].is_clear
    (floor,) = [line for line in sheet.lines if line.cells[0] == "rates"]
    assert floor.cells[3:5] == ("–", "–")
    assert "| **3.0" in markdown(sheet)
    assert r"\textbf{3.0" in latex(sheet)


def test_missing_rows_are_listed(read: Read, registry: Registry, tmp_path: Path) -> None:
    (table,) = tables(read(GRID), Results(tmp_path / "results"), registry)
    assert len(table.missing) == 2
    (sheet,) = format_tables(table)
    waiting = [line for line in sheet.lines if not line.is_floor]
    assert [set(line.cells[1:]) for line in waiting] == [{"–"}] * 2


@pytest.mark.parametrize(
    "grids",
    [
        '[[grid]]\nattention = "none"\n',
        '[[grid]]\nattention = "none"\n[[grid]]\nattention = "lags"\ndecoder = "rbm"\n',
    ],
)
def test_every_line_has_a_cell_for_every_heading(
    read: Read, registry: Registry, tmp_path: Path, grids: str
) -> None:
    small_study, results = read(f'data = "tunes"\nseeds = 2\n{grids}'), Results(tmp_path / "results")
    fill(small_study, registry, results)
    for sheet in format_tables(tables(small_study, results, registry)[0]):
        assert {len(line.cells) for line in sheet.lines} == {len(sheet.headings)}
        assert sheet.words >= 1


def test_rate_that_diverges_is_not_chosen(read: Read, registry: Registry, tmp_path: Path) -> None:
    small_study, results = read(GRID), Results(tmp_path / "results")
    core = components(small_study, registry)[0]
    for cell in core.trials(small_study):
        results.write(cell, result(cell, 1.0))
    broken = core.cell(small_study, 0.01, 1)
    results.write(broken, {**result(broken, 1.0), "evaluation": None, "validation": None})
    assert [cell.train.lr for cell in chosen(core, small_study, results)] == [0.02] * 5


def test_a_rate_is_chosen_by_two_seeds(read: Read, registry: Registry, tmp_path: Path) -> None:
    small_study, results = read(GRID), Results(tmp_path / "results")
    core = components(small_study, registry)[0]
    validation_nats = {(0.01, 0): 1.0, (0.02, 0): 1.1, (0.01, 1): 1.4, (0.02, 1): 1.1}
    for (rate, seed), nats in list(validation_nats.items())[:3]:
        cell = core.cell(small_study, rate, seed)
        results.write(cell, {**result(cell, 1.0), "validation": nats})
    assert core.selection(small_study, results) is None
    last = core.cell(small_study, 0.02, 1)
    results.write(last, {**result(last, 1.0), "validation": validation_nats[0.02, 1]})
    choice = core.selection(small_study, results)
    assert choice is not None
    assert ({cell.train.lr for cell in choice.cells}, choice.selection_seeds) == ({0.02}, 2)


def test_a_table_does_not_say_that_a_rate_was_chosen_if_nothing_was_validated(
    read: Read, registry: Registry, tmp_path: Path
) -> None:
    small_study, results = read(GRID), Results(tmp_path / "results")
    for cell in floor_cells(small_study):
        results.write(cell, result(cell, 0))
    for component in components(small_study, registry):
        for cell in component.every(small_study):
            results.write(cell, {**result(cell, 1.0), "validation": None})
    (table,) = tables(small_study, results, registry)
    (sheet,) = format_tables(table)
    assert table.selection_seeds == 0
    assert any("lr 0.01; the other rates were not compared" in note for note in sheet.explanations())
    assert not any("by validation" in note for note in sheet.explanations())


def of_earlier(content: dict) -> dict:
    return {**content, "data": {name: value for name, value in content["data"].items() if name != "reading"}}


def test_earlier_reading_may_select_rates_by_one_seed(read: Read, registry: Registry, tmp_path: Path) -> None:
    small_study, results = read(GRID), Results(tmp_path / "results")
    for cell in floor_cells(small_study):
        results.write(cell, of_earlier(result(cell, 0)))
    for level, component in enumerate(components(small_study, registry)):
        cells = [
            component.cell(small_study, 0.02, 0),
            *(component.cell(small_study, 0.01, seed) for seed in range(5)),
        ]
        for cell in cells:
            results.write(cell, of_earlier(result(cell, 1.0 + level)))
    (table,) = tables(small_study, results, registry)
    assert (table.missing, table.selection_seeds, table.is_earlier) == ((), 1, True)
    (sheet,) = format_tables(table)
    assert any("from 0.01, 0.02 by validation of the first seed" in note for note in sheet.explanations())
    (caption,) = [note for note in sheet.explanations() if "earlier reading" in note]
    assert "bars were counted from the first note" in caption


def test_rows_of_different_readings_share_no_table(read: Read, registry: Registry, tmp_path: Path) -> None:
    small_study, results = read(GRID), Results(tmp_path / "results")
    fill(small_study, registry, results)
    (cell,) = floor_cells(small_study)
    results.write(cell, of_earlier(result(cell, 0)))
    with pytest.raises(ZooError, match=f"reading {READING} in core.*reading 1 in floors"):
        tables(small_study, results, registry)


def test_rows_on_different_grids_share_no_table(read: Read, registry: Registry, tmp_path: Path) -> None:
    small_study, results = read(GRID), Results(tmp_path / "results")
    fill(small_study, registry, results)
    (cell,) = floor_cells(small_study)
    content = result(cell, 0)
    content["data"]["grid"] = 12
    results.write(cell, content)
    with pytest.raises(ZooError, match="12 frames per quarter note in floors"):
        tables(small_study, results, registry)


def test_caption_contains_the_grid_and_the_leaks() -> None:
    assert list(MusicReading("d").notes) == list(MusicReading("d", leaks=0).notes) == []
    assert list(MusicReading("d", grid=12, leaks=2).notes) == [
        "12 frames per quarter note",
        "2 scored pieces share long passages with training pieces",
    ]
    assert set(EARLIER) == set(range(1, READING))


def test_failed_rows_are_distinguished_from_missing_ones(
    read: Read, registry: Registry, tmp_path: Path
) -> None:
    small_study, results = read(GRID), Results(tmp_path / "results")
    fill(small_study, registry, results)
    core = next(
        component
        for component in components(small_study, registry)
        if component.recipe.parts["attention"].entry.name == "none"
    )
    for cell in chosen(core, small_study, results):
        results.write(cell, {**result(cell, 1.0), "evaluation": None})
    (table,) = tables(small_study, results, registry)
    (sheet,) = format_tables(table)
    assert "none: the training of a part diverged" in sheet.explanations()
    assert not any("wait" in note for note in sheet.explanations())
    assert [line.cells[0] for line in sheet.lines][-1] == "none"


def test_a_row_with_the_name_of_a_floor_does_not_hide_it(tabled: Tabled) -> None:
    """Otherwise the score of the combination reads as the floor."""
    grid = 'attention = "last"\nsampler = ["rates", "independent"]\ndecoder = "uniform"'
    floors = {"rates": {"codes": [1.0, 1.0, 1.0], "keys": [0.0, 0.0, 0.0]}}
    core = {"last": {"nats": [(5, 5, 5), (5, 5, 5)]}}
    table = tabled(grid, floors, core=core, decoder={"uniform": {"nats": [(1, 1, 1), (1, 1, 1)]}})
    values = {row.label_for(table.study.slots): row.figure(*table.terms).value for row in table.rows}
    assert set(values) == {"rates", "independent", "rates (floor)"}
    assert values["rates (floor)"] < values["rates"]
    assert verdict(table, "rates", "independent").first.floor == ""


def test_different_music_of_one_name_has_headings_of_its_own(tabled: Tabled) -> None:
    grid = 'attention = ["last", "none"]\nsampler = "rates"\ndecoder = "uniform"'
    tables = [
        tabled(
            grid,
            core={name: {"nats": [nats, nats], "digest": digest * 64} for name in ("last", "none")},
            decoder={"uniform": {"nats": [(1, 1, 1), (1, 1, 1)], "digest": digest * 64}},
        )
        for digest, nats in (("d", (1, 2, 3)), ("e", (2, 3, 4)))
    ]
    rows = leaderboard_rows(tables)
    assert {row.music: row.digest for row in rows} == {
        "tunes": "d" * 64,
        f"tunes, music {'e' * 12}": "e" * 64,
    }
    assert len(rows) == 4
