"""The sections Score, Learning and Resemblance: cells, positions, and which runs share a chart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zoo.errors import DataError
from zoo.report import Report
from zoo.report.learning import Training, charts
from zoo.report.page import page
from zoo.report.resemblance import resemblance_tables
from zoo.report.results import read_results
from zoo.report.scale import Scale
from zoo.report.score import score_tables

TRAIN = {"patience": 0, "validate_every": 100}


def figure(value: float, half: float | None = 0.25, kind: str = "exact") -> dict[str, Any]:
    interval = None if half is None else [value - half, value + half]
    content = {"value": value, "kind": kind, "interval": interval, "standard_error": None}
    return content | {"count": 100, "pieces": 10, "families": 10}


def row(name: str, value: float, *, floor: bool = False, **entries: Any) -> dict[str, Any]:
    score = entries.pop("score", figure(value))
    return {
        "name": name,
        "floor": floor,
        "score": score,
        "terms": {"codes": score},
        "resemblance": None,
        **entries,
    }


@pytest.fixture
def result() -> dict[str, Any]:
    """The output of `zoo evaluate --json` for a model, a floor near it and a floor large above."""
    bound = figure(4.0, 0.25, "bound")
    difference = {
        "value": -1.0,
        "interval": [-1.5, -0.5],
        "verdict": "lower",
        "first": "model",
        "second": "rates",
    }
    large = difference | {"value": -56.0, "interval": [-57, -55], "second": "uniform"}
    unclear = difference | {"value": 0.1, "interval": [-0.2, 0.4], "verdict": "not clear", "second": "other"}
    return {
        "data": {"name": "songs", "digest": "a" * 64, "split": "test", "pieces": 10, "frames": 1000},
        "rows": [
            row("uniform", 60.0, floor=True),
            row("rates", 5.0, floor=True),
            row("model", 4.0, score=bound),
        ],
        "differences": [difference, large, unclear],
        "velocity": {"rows": [], "differences": []},
    }


def test_scores_have_a_kind_and_an_interval_in_table_and_plot(result: dict[str, Any]) -> None:
    scores, differences = score_tables(result)
    assert scores.title == "Score: 10 test pieces of songs, 1,000 frames; music aaaaaaaaaaaa"
    _, rates, model = scores.rows
    assert model.cells == ("≤ 4.000", "0.250", "≤ 4.000")
    assert model.mark.low == 6  # the plot spans from the lowest end of all intervals to the highest
    assert (rates.mark.high, rates.mark.label) == (254, "5.000 ± 0.250")
    assert model.mark.center == pytest.approx(6 + 0.25 / 1.5 * 248, abs=0.1)
    assert any("bound" in note for note in scores.notes)
    assert [row.is_floor for row in scores.rows] == [True, True, False]
    assert differences.rows[0].name == "model − rates"


def test_outliers_are_not_plotted(result: dict[str, Any]) -> None:
    scores, differences = score_tables(result)
    assert scores.rows[0].mark.center is None
    assert scores.rows[0].cells[0] == "60.000"
    assert [row.mark.center is None for row in differences.rows] == [False, True, False]
    assert differences.zero == pytest.approx(6 + 1.5 / 1.9 * 248, abs=0.1)
    assert any(note.startswith("not clear:") for note in differences.notes)


def test_velocity_has_a_table_of_its_own(result: dict[str, Any]) -> None:
    result["velocity"]["rows"] = [
        {"name": "mean", "floor": True, **figure(4)},
        {"name": "m", "floor": False, **figure(3)},
    ]
    tables = list(score_tables(result))
    assert [table.title[:8] for table in tables] == ["Score: 1", "Paired d", "Velocity"]
    assert tables[-1].headings == ("nats/note ↓", "±")


def test_a_study_compares_each_row_with_the_next(result: dict[str, Any]) -> None:
    del result["differences"], result["velocity"]["differences"]
    difference = {"value": -1.0, "interval": None, "verdict": "not clear"}
    result["rows"] = [row("best", 4.0, to_next=difference), row("rates", 5.0, floor=True, to_next=None)]
    _, differences = score_tables(result)
    (table_row,) = differences.rows
    assert (table_row.name, table_row.cells) == ("best − rates", ("-1.000", "–", "not clear"))


@pytest.mark.parametrize(
    ("seeds", "over"), [(None, "pieces"), (1, "pieces, of one seed"), (5, "pieces and seeds")]
)
def test_an_interval_is_over_the_seeds_that_there_are(
    seeds: int | None, over: str, result: dict[str, Any]
) -> None:
    result["velocity"]["rows"] = [{"name": "m", "floor": False, **figure(3)}]
    if seeds is not None:
        result["seeds"] = seeds
    scores, _, velocity = score_tables(result)
    for table in (scores, velocity):
        assert table.notes[0] == f"± half the width of the 95 % interval over {over}"


def test_a_note_mentions_an_earlier_reading_of_the_music(result: dict[str, Any]) -> None:
    assert not any("earlier reading" in note for note in next(score_tables(result)).notes)
    result["data"]["earlier"] = True
    assert any("earlier reading" in note for note in next(score_tables(result)).notes)


def test_each_measure_has_its_floor(result: dict[str, Any]) -> None:
    measure = {
        "measure": "keys at once", "unit": "keys", "generated": 4.5, "held_out": 4.0, "distance": 0.5,
        "interval": [0.25, 1.0], "floor": 0.125, "chance": 0.001, "corrected": 0.004, "passages": [12, 6, 6],
    }  # fmt: skip
    close = measure | {
        "measure": "scale",
        "unit": None,
        "generated": None,
        "held_out": None,
        "corrected": 0.6,
    }
    content = {"frames": 64, "passages": [12, 6, 6], "measures": [measure, close]}
    result["rows"][2]["resemblance"] = content
    (table,) = resemblance_tables(result)
    assert table.title == "model: 12 generated and 6 + 6 held-out passages of 64 frames"
    assert table.has_few_passages
    first, second = table.rows
    assert (first.name, first.cells, first.verdict) == (
        "keys at once (keys)",
        ("4.500", "4.000", "0.500"),
        "different",
    )
    assert (first.zero, first.floor, first.low, first.distance, first.high) == (4, 28, 52, 100, 196)
    assert (second.cells[0], second.verdict) == ("–", "not clear")
    text = page(Report("r", results=[result]))
    assert "With so few passages" in text
    assert 'aria-label="distance 0.500, different"' in text


def training(
    name: str, *, digest: str = "d", encoder: str = "onset", terms: tuple[str, ...] = ("core",)
) -> Training:
    plan = {
        "parts": {"encoder": {"name": encoder, "settings": {}}},
        "train": {"validate_frames": 2048},
        "data": {"digest": digest, "grid": 4},
    }
    curves = {term: [(60.0, 3.0), (120.0, 2.0), (180.0, 2.5)] for term in terms}
    return Training(name, plan, curves, dict.fromkeys(terms, "bound"))


def test_runs_share_a_chart_only_if_their_nats_are_comparable() -> None:
    runs = [
        training("a", terms=("core", "decoder")),
        training("b", terms=("core", "decoder")),
        training("other codes", encoder="sounding"),
        training("other music", digest="e"),
    ]
    runs_by_chart = [
        (chart.title.partition(":")[0], [curve.name for curve in chart.curves]) for chart in charts(runs)
    ]
    assert runs_by_chart == [
        ("core", ["a", "b"]),
        ("core", ["other codes"]),
        ("core", ["other music"]),
        ("decoder", ["a", "b"]),
    ]
    colors = {curve.name: curve.color for chart in charts(runs) for curve in chart.curves}
    assert list(colors.values()) == [0, 1, 2, 3]


def test_a_curve_is_over_minutes_and_marks_its_lowest_value() -> None:
    (chart,) = charts([training("a")])
    (curve,) = chart.curves
    assert curve.best_value == "≤ 2.000"
    points = [tuple(map(float, point.split(","))) for point in curve.points.split()]
    assert curve.best_point == points[1]
    assert points[0][0] == pytest.approx(46 + 444 / 3, abs=0.1)
    assert points[0][1] == 12  # the highest nats are at the top
    assert [text for _, text in chart.x_ticks] == ["0", "1", "2", "3"]


def test_learning_curves_hold_validation_nats_but_no_losses(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(
        json.dumps(
            {"words": "", "parts": {}, "train": TRAIN, "data": {"name": "s", "digest": "d"}, "seed": 0}
        )
    )
    stepped = {"event": "stepped", "step": 1, "losses": {"core": 9.0}, "frames": 1, "seconds": 0.5}
    validated = {"event": "validated", "step": 1, "nats": {"core": 3.0}, "improved": [], "seconds": 0.6}
    lines = [json.dumps(stepped), json.dumps(validated), '{"cut sho']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert Training.read(tmp_path, "run").curves == {"core": [(0.6, 3.0)]}


@example([5e-324])
@example([5e-324, 0.0])
@given(st.lists(st.floats(-1e6, 1e6), max_size=6))
def test_ticks_lie_on_the_scale(numbers: list[float]) -> None:
    scale = Scale.around(numbers, 10, 110)
    ticks = list(scale.ticks())
    assert 1 <= len(ticks) <= 7
    assert all(9.9 <= position <= 110.1 for position, _ in ticks)


@pytest.mark.parametrize(
    "content", ["", "3", "{}", '[{"rows": []}]', '{"data": {}, "rows": [{}]}', "[" * 10000]
)
def test_a_file_without_results_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(DataError, match="is not a file of results"):
        read_results(tmp_path / "r.json")


def test_results_are_read_as_printed(tmp_path: Path, result: dict[str, Any]) -> None:
    (tmp_path / "one.json").write_text(json.dumps(result))
    (tmp_path / "many.json").write_text(json.dumps([result, result]))
    assert read_results(tmp_path / "one.json") == [result]
    assert len(read_results(tmp_path / "many.json")) == 2
    with pytest.raises(DataError, match="cannot be read"):
        read_results(tmp_path / "none.json")
