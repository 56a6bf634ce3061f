"""`zoo bench site`: every stored row is on the page with its command, and the page fetches nothing."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.assembly import tables
from zoo.bench.results import Results
from zoo.bench.study import read_study
from zoo.cli.main import run
from zoo.registry import open_registry, parse_recipe
from zoo.report.leaderboard import LeaderboardRow, leaderboard_page, leaderboard_rows
from zoo.train.settings import TrainSettings

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks" / "studies"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The leaderboard of two studies that come with the repository."""
    folder = tmp_path_factory.mktemp("site")
    studies = [str(BENCHMARKS / f"{name}.toml") for name in ("objective", "decoder")]
    assert run(["bench", "site", *studies, "-o", str(folder / "pages")]) == 0
    return folder / "pages" / "index.html"


def rows_of(page: Path) -> list[dict[str, str]]:
    """The cells of each row as text."""
    rows = re.findall(r"<tr[^>]*data-music=.*?</tr>", page.read_text(), re.S)
    names = ("music", "recipe", "nats", "kind", "interval", "seeds", "weights", "origin", "command")
    cells = [
        [html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td.*?</td>", row, re.S)]
        for row in rows
    ]
    return [dict(zip(names, each, strict=True)) for each in cells]


def test_the_rows_are_those_of_the_tables(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "table", str(BENCHMARKS / "objective.toml"), "--json"]) == 0
    expected = {
        (
            table["data"]["name"],
            row["recipe"] or row["name"],
            f"{row['score']['value']:.3f}",
            row["score"]["kind"],
        )
        for table in json.loads(capsys.readouterr().out)
        for row in table["rows"]
    }
    rows = rows_of(page)
    shown = {(row["music"].partition(",")[0], row["recipe"], row["nats"], row["kind"]) for row in rows}
    assert expected <= shown
    assert len({(row["music"], row["recipe"], row["nats"], row["kind"]) for row in rows}) == len(rows)
    assert {"bound", "exact"} <= {row["kind"] for row in rows}
    assert all(re.fullmatch(r"\d+\.\d{3} … \d+\.\d{3}", row["interval"]) for row in rows)


def test_the_command_of_a_row_trains_as_its_cells_were_trained(page: Path) -> None:
    trained = [row for row in rows_of(page) if row["recipe"].startswith("encoder=")]
    assert trained
    for row in trained:
        program, command, *words = row["command"].split()
        assert (program, command, words[-2:]) == ("zoo", "train", ["-o", "RUN"])
        parts = [
            word for word in words[:-2] if word.partition(".")[0] != "train" and not word.startswith("data=")
        ]
        settings = [word for word in words if word.startswith("train.")]
        recipe = parse_recipe([*parts, *settings], open_registry(), sections={"train": TrainSettings})
        assert str(parse_recipe(parts, open_registry())) == row["recipe"]
        assert recipe.sections["train"].steps is not None
    assert all(row["command"].startswith("zoo bench run") for row in rows_of(page) if row not in trained)


def test_the_page_fetches_nothing_and_runs_only_its_own_script(page: Path) -> None:
    text = page.read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert html.unescape(policy).startswith("default-src 'none'; script-src 'sha256-")
    assert not re.search(r"(src|href)=|@import|url\(|http", text.replace("http-equiv", ""))
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]


@pytest.mark.parametrize("music", ["bach", "bach, earlier reading"])
def test_an_earlier_reading_is_explained_where_there_is_one(music: str) -> None:
    row = LeaderboardRow(music, "", 2.19, "exact", None, "study", "zoo train")
    assert ("Earlier reading:" in leaderboard_page([row], "Leaderboard")) == ("earlier" in music)


def test_scores_of_training_pieces_were_said_to_be_of_pieces_not_trained_on() -> None:
    def head(split: str) -> str:
        row = LeaderboardRow("bach", "", 2.19, "exact", None, "study", "zoo train", split=split)
        return " ".join(leaderboard_page([row], "Leaderboard").split())

    assert "each frame of pieces that it was not trained on" in head("test")
    assert "each frame of a piece, as minus" in head("train")
    assert "Train pieces: the models were trained on the pieces that they are scored on" in head("train")
    # The split of a row is that of its study.
    registry = open_registry()
    study = read_study(BENCHMARKS / "objective.toml", registry)
    table = next(iter(tables(study, Results(BENCHMARKS / "results"), registry)))
    of_training = replace(study, settings=study.settings.model_copy(update={"split": "train"}))
    assert {row.split for row in leaderboard_rows([table])} == {"test"}
    assert {row.split for row in leaderboard_rows([replace(table, study=of_training)])} == {"train"}


def test_each_row_has_the_number_of_seeds_of_its_interval(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interval of one seed, such as that of a bundle, does not show how trainings differ."""
    for row in rows_of(page):
        assert row["seeds"] == ("5" if int(row["weights"].replace("–", "0").replace(",", "")) else "–")
    bundle = LeaderboardRow("bach", "", 2.19, "exact", (2.1, 2.3), "bundle b", "zoo train", seeds=1)
    text = leaderboard_page([bundle], "Leaderboard")
    assert '<td data-value="1">1</td>' in text
    assert "over pieces, and over seeds if there are" in text


@pytest.mark.slow
def test_rows_without_an_interval_are_the_widest(open_page: Callable[..., Any], tmp_path: Path) -> None:
    intervals = [None, (2.0, 2.3), None, (2.1, 2.2), (1.0, 3.0), None]
    rows = [
        LeaderboardRow("bach", "", 2.0, "exact", interval, "study", "zoo train") for interval in intervals
    ]
    (tmp_path / "page.html").write_text(leaderboard_page(rows, "Leaderboard"))
    window = open_page((tmp_path / "page.html").as_uri()).tab
    heading = window.locator("th", has_text="interval")
    heading.locator("button").click()
    number = heading.evaluate("heading => heading.cellIndex")
    shown = window.eval_on_selector_all(
        "tbody tr", f"rows => rows.map(row => row.cells[{number}].textContent)"
    )
    assert shown == ["2.100 … 2.200", "2.000 … 2.300", "1.000 … 3.000", "–", "–", "–"]


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    shutil.copytree(BENCHMARKS / "results", tmp_path / "results")
    title = "<script>alert(1)</script>"
    study = str(shutil.copy(BENCHMARKS / "objective.toml", tmp_path))
    assert run(["bench", "site", study, "-o", str(tmp_path / "pages"), "--title", title]) == 0
    assert title not in (tmp_path / "pages/index.html").read_text()


def test_studies_without_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = str(shutil.copy(BENCHMARKS / "objective.toml", tmp_path))
    assert run(["bench", "site", study, "-o", str(tmp_path / "pages")]) == 2
    assert "there are no results" in capsys.readouterr().err
    assert not (tmp_path / "pages").exists()


@pytest.mark.slow
def test_a_reader_filters_and_sorts(page: Path, open_page: Callable[..., Any]) -> None:
    opened = open_page(page.as_uri())
    window = opened.tab
    every = """rows => rows.filter(row => !row.hidden).map(
        row => [row.dataset.music, row.dataset.decoder, +row.cells[2].dataset.value])"""
    first = window.eval_on_selector_all("tbody tr", every)
    assert len({music for music, _, _ in first}) == 1
    assert len(first) < len(rows_of(page))
    window.select_option("select[name=decoder]", "rbm")
    rbm = window.eval_on_selector_all("tbody tr", every)
    assert rbm
    assert {decoder for _, decoder, _ in rbm} == {"rbm"}
    assert window.inner_text("#count") == f"{len(rbm)} of {len(rows_of(page))} rows"
    window.select_option("select[name=decoder]", "")
    window.click("th:nth-child(3) button")
    values = [value for _, _, value in window.eval_on_selector_all("tbody tr", every)]
    assert values == sorted((value for _, _, value in first), reverse=True)
    assert opened.messages == []


@pytest.mark.slow
def test_a_reader_listens_to_the_sample_of_a_row(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    study = str(BENCHMARKS / "objective.toml")
    assert run(["bench", "site", study, "--bundle", "bach", "-o", str(tmp_path)]) == 0
    text = (tmp_path / "index.html").read_text()
    links = [link for link in re.findall(r'(?:src|href)="([^"]*)"', text) if not link.startswith("data:")]
    assert links == ["#piece-1"]
    opened = open_page((tmp_path / "index.html").as_uri())
    window = opened.tab
    window.select_option("select[name=music]", "bach")
    assert "bundle bach" in window.inner_text("tbody tr:visible")
    window.click("text=listen")
    window.click("#piece-1 button.play")
    window.wait_for_function("document.querySelector('#piece-1').dataset.lit")
    assert opened.requests == [opened.requests[0]]
    assert opened.messages == []
