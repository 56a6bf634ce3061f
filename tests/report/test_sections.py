"""Score, learning and resemblance: what is printed, what is drawn, and what never shares an axis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import DataError
from zoo.report import Report
from zoo.report.learning import Training, charts
from zoo.report.likeness import likeness_tables
from zoo.report.page import page
from zoo.report.results import read_results
from zoo.report.scale import Scale
from zoo.report.score import score_tables


def figure(value: float, half: float | None = 0.25, kind: str = "exact") -> dict[str, Any]:
    interval = None if half is None else [value - half, value + half]
    facts = {"value": value, "kind": kind, "interval": interval, "standard_error": None}
    return facts | {"count": 100, "pieces": 10, "families": 10}


def row(name: str, value: float, *, floor: bool = False, **about: Any) -> dict[str, Any]:
    scored = about.pop("score", figure(value))
    return {
        "name": name,
        "floor": floor,
        "score": scored,
        "terms": {"codes": scored},
        "resemblance": None,
        **about,
    }


@pytest.fixture
def result() -> dict[str, Any]:
    """A model, a floor near it and one far off, as `zoo evaluate --json` tells of them."""
    bound = figure(4.0, 0.25, "bound")
    difference = {
        "value": -1.0,
        "interval": [-1.5, -0.5],
        "verdict": "lower",
        "first": "model",
        "second": "rates",
    }
    far = difference | {"value": -56.0, "interval": [-57, -55], "second": "uniform"}
    unclear = difference | {"value": 0.1, "interval": [-0.2, 0.4], "verdict": "not clear", "second": "other"}
    return {
        "data": {"name": "songs", "digest": "a" * 64, "split": "test", "pieces": 10, "frames": 1000},
        "rows": [
            row("uniform", 60.0, floor=True),
            row("rates", 5.0, floor=True),
            row("model", 4.0, score=bound),
        ],
        "differences": [difference, far, unclear],
        "velocity": {"rows": [], "differences": []},
    }


def test_kinds_and_intervals_are_printed_and_drawn(result: dict[str, Any]) -> None:
    scores, differences = score_tables(result)
    assert scores.title == "Score: 10 test pieces of songs, 1,000 frames; music aaaaaaaaaaaa"
    _, rates, model = scores.lines
    assert model.cells == ("≤ 4.000", "0.250", "≤ 4.000")
    assert model.span.low == 6  # the lowest end of all begins the plot, the highest ends it
    assert (rates.span.high, rates.span.told) == (254, "5.000 ± 0.250")
    assert model.span.place == pytest.approx(6 + 0.25 / 1.5 * 248, abs=0.1)
    assert any("a bound" in note for note in scores.notes)
    assert [line.is_floor for line in scores.lines] == [True, True, False]
    assert differences.lines[0].name == "model − rates"


def test_what_is_far_off_does_not_flatten_the_rest(result: dict[str, Any]) -> None:
    scores, differences = score_tables(result)
    assert scores.lines[0].span.place is None
    assert scores.lines[0].cells[0] == "60.000"
    assert [line.span.place is None for line in differences.lines] == [False, True, False]
    assert differences.zero == pytest.approx(6 + 1.5 / 1.9 * 248, abs=0.1)
    assert any("holds 0" in note for note in differences.notes)


def test_loudness_has_a_table_of_its_own(result: dict[str, Any]) -> None:
    result["velocity"]["rows"] = [
        {"name": "mean", "floor": True, **figure(4)},
        {"name": "m", "floor": False, **figure(3)},
    ]
    tables = list(score_tables(result))
    assert [table.title[:8] for table in tables] == ["Score: 1", "Paired d", "Loudness"]
    assert tables[-1].headings == ("nats/note ↓", "±")


def test_a_study_shows_each_row_beside_the_next(result: dict[str, Any]) -> None:
    del result["differences"], result["velocity"]["differences"]
    apart = {"value": -1.0, "interval": None, "verdict": "not clear"}
    result["rows"] = [row("best", 4.0, to_next=apart), row("rates", 5.0, floor=True, to_next=None)]
    _, differences = score_tables(result)
    (line,) = differences.lines
    assert (line.name, line.cells) == ("best − rates", ("-1.000", "–", "not clear"))


def test_an_earlier_reading_of_the_music_is_told_of(result: dict[str, Any]) -> None:
    assert not any("earlier reading" in note for note in next(score_tables(result)).notes)
    result["data"]["earlier"] = True
    assert any("earlier reading" in note for note in next(score_tables(result)).notes)


def test_each_measure_stands_beside_its_floor(result: dict[str, Any]) -> None:
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
    kept = {"frames": 64, "passages": [12, 6, 6], "measures": [measure, close]}
    result["rows"][2]["resemblance"] = kept
    (beside,) = likeness_tables(result)
    assert beside.title == "model: 12 passages of 64 frames beside 6 + 6 unseen"
    assert beside.few
    first, second = beside.measures
    assert (first.name, first.cells, first.verdict) == (
        "keys at once (keys)",
        ("4.500", "4.000", "0.500"),
        "different",
    )
    assert (first.start, first.floor, first.low, first.place, first.high) == (4, 28, 52, 100, 196)
    assert (second.cells[0], second.verdict) == ("–", "not clear")
    text = page(Report("r", results=[result]))
    assert "So few passages tell little" in text
    assert 'aria-label="0.500 apart, different"' in text


def training(
    name: str, *, digest: str = "d", encoder: str = "onset", terms: tuple[str, ...] = ("core",)
) -> Training:
    plan = {
        "parts": {"encoder": {"name": encoder, "settings": {}}},
        "train": {"validate_frames": 2048},
        "data": {"digest": digest, "grid": 4},
    }
    return Training(name, plan, {term: [(60.0, 3.0), (120.0, 2.0), (180.0, 2.5)] for term in terms})


def test_runs_share_a_chart_only_where_their_nats_compare() -> None:
    runs = [
        training("a", terms=("core", "decoder")),
        training("b", terms=("core", "decoder")),
        training("other codes", encoder="sounding"),
        training("other music", digest="e"),
    ]
    found = [
        (chart.title.partition(":")[0], [curve.name for curve in chart.curves]) for chart in charts(runs)
    ]
    assert found == [
        ("core", ["a", "b"]),
        ("core", ["other codes"]),
        ("core", ["other music"]),
        ("decoder", ["a", "b"]),
    ]
    colours = {curve.name: curve.colour for chart in charts(runs) for curve in chart.curves}
    assert list(colours.values()) == [0, 1, 2, 3]


def test_a_curve_runs_over_minutes_and_names_its_best() -> None:
    (chart,) = charts([training("a")])
    (curve,) = chart.curves
    assert curve.best == "2.000"
    points = [tuple(map(float, point.split(","))) for point in curve.points.split()]
    assert curve.place == points[1]
    assert points[0][0] == pytest.approx(46 + 444 / 3, abs=0.1)
    assert points[0][1] == 12  # the highest nats are at the top
    assert [text for _, text in chart.across] == ["0", "1", "2", "3"]


def test_a_run_is_read_from_its_folder_and_its_losses_are_not(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(
        json.dumps({"words": "", "parts": {}, "train": {}, "data": {"digest": "d"}, "seed": 0})
    )
    stepped = {"event": "stepped", "step": 1, "losses": {"core": 9.0}, "frames": 1, "seconds": 0.5}
    validated = {"event": "validated", "step": 1, "nats": {"core": 3.0}, "improved": [], "seconds": 0.6}
    lines = [json.dumps(stepped), json.dumps(validated), '{"cut sho']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert Training.read(tmp_path, "run").curves == {"core": [(0.6, 3.0)]}


@given(st.lists(st.floats(-1e6, 1e6), max_size=6))
def test_ticks_are_round_and_lie_on_the_scale(numbers: list[float]) -> None:
    scale = Scale.around(numbers, 10, 110)
    ticks = list(scale.ticks())
    assert 1 <= len(ticks) <= 7
    assert all(9.9 <= place <= 110.1 for place, _ in ticks)


@pytest.mark.parametrize(
    "content", ["", "3", "{}", '[{"rows": []}]', '{"data": {}, "rows": [{}]}', "[" * 10000]
)
def test_files_without_results_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(DataError, match="holds no results"):
        read_results(tmp_path / "r.json")


def test_results_are_read_as_they_were_printed(tmp_path: Path, result: dict[str, Any]) -> None:
    (tmp_path / "one.json").write_text(json.dumps(result))
    (tmp_path / "many.json").write_text(json.dumps([result, result]))
    assert read_results(tmp_path / "one.json") == [result]
    assert len(read_results(tmp_path / "many.json")) == 2
    with pytest.raises(DataError, match="cannot be read"):
        read_results(tmp_path / "none.json")
