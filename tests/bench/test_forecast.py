"""`zoo bench run --dry-run` and `zoo bench list`: the forecast equals what a run then does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.driver import Driver
from zoo.bench.forecast import Forecast, Reason, forecasts
from zoo.bench.needs import LocalDataset
from zoo.bench.reading import READING
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.cli.bench_forecast import duration
from zoo.cli.main import run
from zoo.parts import SLOTS
from zoo.registry import Registry

Read = Callable[..., Study]
MUSIC = LocalDataset("/tunes", "d" * 64, frozenset({"onset", "sounding"}), 3)
HEAD, GRID = (
    'data = "tunes"\nseeds = 3',
    'attention = ["none", "last"]\nsampler = "independent"\ndecoder = ["lstm", "uniform"]',
)
TRAIN = "steps = 2\nlr = [0.01, 0.1]"


class Instant:
    """A runner that returns made-up results immediately, up to a number of cells."""

    def __init__(self, most: int = 1000) -> None:
        self.orders: list[dict[str, Any]] = []
        self._most = most

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        answer: Future[dict[str, Any]] = Future()
        if len(self.orders) == self._most:
            raise KeyboardInterrupt
        self.orders.append(dict(order))
        data = {"digest": MUSIC.digest, "planes": sorted(MUSIC.planes), "reading": READING}
        result: dict[str, Any] = {
            "order": dict(order),
            "data": data,
            "made": {"polyzoo": "0.2.0"},
            "floors": {},
        }
        if order["term"] != "floors":
            learns = "decoder=uniform" not in order["recipe"] or order["term"] != "decoder"
            result |= {"learns": learns, "validation": order["train"]["lr"], "evaluation": None}
            result |= {
                "parameters": 5 * learns,
                "parts": dict.fromkeys(SLOTS, "x 1"),
                "seconds": 60.0,
                "steps": 2,
            }
        answer.set_result(result)
        return answer

    def close(self) -> None:
        pass


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def drive(results: Path, registry: Registry) -> Callable[..., list[dict[str, Any]]]:
    def drive(study: Study, most: int = 1000) -> list[dict[str, Any]]:
        runner = Instant(most)
        try:
            Driver(study, Results(results), runner, {"tunes": MUSIC}, registry).run()
        except KeyboardInterrupt:
            assert most < 1000
        return runner.orders

    return drive


@pytest.fixture
def forecast(results: Path, registry: Registry) -> Callable[..., Forecast]:
    def forecast(study: Study, music: LocalDataset = MUSIC) -> Forecast:
        (made,) = forecasts(study, Results(results), {"tunes": music}, registry)
        return made

    return forecast


Drive = Callable[..., list[dict[str, Any]]]
Ask = Callable[..., Forecast]


def test_the_forecast_is_what_a_run_does(study: Read, drive: Drive, forecast: Ask, results: Path) -> None:
    small = study(HEAD, GRID, TRAIN)
    first = forecast(small)
    assert not results.exists()
    assert len(first.missing) + first.open == 17, "decoder=uniform has no parameters: a single cell"
    assert (first.stored, first.unused, first.without_estimate) == ((), {}, 15)
    drive(small)
    for path in sorted((results / "tunes").iterdir())[::3]:
        path.unlink()
    half = forecast(small)
    names = {cell.name for cell in half.missing}
    done = drive(small)
    assert names <= {order["name"] for order in done}
    after = forecast(small)
    assert len(after.stored) == 17
    assert (after.missing, after.open, after.seconds) == ((), 0, 0)


def test_cells_at_a_rate_that_is_not_chosen_yet_are_counted(
    study: Read, drive: Drive, forecast: Ask, results: Path
) -> None:
    small = study(HEAD, 'attention = "none"\nsampler = "independent"', TRAIN)
    drive(small)
    (lost,) = results.glob("tunes/core-*-s2-*.json")
    lost.unlink()
    assert [cell.name for cell in forecast(small).missing] == [lost.stem]
    trial = next(results.glob("tunes/core-*-s1-*.json"))
    trial.unlink()
    made = forecast(small)
    assert [cell.name for cell in made.missing] == [trial.stem]
    assert made.open == 1


def test_the_time_is_that_of_stored_trainings_for_as_much_music(
    study: Read, drive: Drive, forecast: Ask, results: Path
) -> None:
    drive(study(HEAD, GRID, TRAIN))
    assert forecast(study(HEAD, GRID, "steps = 6\nlr = [0.01, 0.1]")).seconds == pytest.approx(15 * 180)
    assert forecast(study(HEAD, GRID, "minutes = 2\nlr = [0.01, 0.1]")).seconds == pytest.approx(15 * 120)
    unknown = forecast(study(HEAD, GRID, "epochs = 2\nlr = [0.01, 0.1]"))
    assert (unknown.seconds, unknown.without_estimate) == (0, 15)


@pytest.mark.parametrize(
    ("head", "train", "reason"),
    [
        (HEAD, "steps = 6\nlr = [0.01, 0.1]", Reason("train.steps", "2", "6")),
        (HEAD, "steps = 2\nlr = [0.01, 0.1]\npatience = 3", Reason("train.patience", "0", "3")),
        (HEAD, "steps = 2\nlr = [0.01, 0.1]\nema = 0.9", Reason("train.ema", "0.0", "0.9")),
        (HEAD + '\nsplit = "valid"', TRAIN, Reason("split", "test", "valid")),
    ],
)
def test_a_stored_cell_is_not_used_for_a_reason(
    head: str, train: str, reason: Reason, study: Read, drive: Drive, forecast: Ask
) -> None:
    drive(study(HEAD, GRID, TRAIN))
    made = forecast(study(head, GRID, train))
    reasons = [key for key, _ in made.reasons]
    assert (reason,) in reasons
    assert all(reason in each for each in reasons)
    assert len(made.unused) == 17 - (reason.field != "split")


def test_one_validation_setting_makes_cells_foreign(study: Read, drive: Drive, forecast: Ask) -> None:
    small = study(HEAD, GRID, TRAIN)
    drive(small)
    changed = replace(small, train=small.train.model_copy(update={"validate_every": 200}))
    ((reasons, names),) = forecast(changed).reasons
    assert reasons == (Reason("train.validate_every", "2", "200"),)
    assert len(names) == 16
    assert str(reasons[0]) == "train.validate_every is 2, the study has 200"


def test_more_rates_and_seeds_than_the_study_has_are_named(study: Read, drive: Drive, forecast: Ask) -> None:
    drive(study(HEAD, 'attention = "none"\nsampler = "independent"', "steps = 2\nlr = [0.01, 0.1]"))
    made = forecast(
        study(
            'data = "tunes"\nseeds = 2', 'attention = "none"\nsampler = "independent"', "steps = 2\nlr = 0.01"
        )
    )
    reasons_found = {reason for reasons, _ in made.reasons for reason in reasons}
    assert reasons_found == {Reason("train.lr", "0.1", "0.01"), Reason("seed", "2", "0 to 1")}
    assert len(made.missing) + made.open == 0


def test_results_of_other_music_are_not_used(study: Read, drive: Drive, forecast: Ask) -> None:
    small = study(HEAD, GRID, TRAIN)
    drive(small)
    made = forecast(small, LocalDataset("/songs", "e" * 64, MUSIC.planes, 3))
    assert not made.stored
    assert [reasons for reasons, _ in made.reasons] == [(Reason("music", "d" * 12, "e" * 12),)]


def test_parts_that_the_study_does_not_have_are_of_no_interest(
    study: Read, drive: Drive, forecast: Ask
) -> None:
    drive(study(HEAD, 'attention = "none"\nsampler = "independent"', "steps = 3"))
    made = forecast(study(HEAD, 'attention = "last"\nsampler = "rates"\ndecoder = "rbm"', "steps = 2"))
    assert not made.unused


def test_another_version_of_a_part_is_a_reason(
    study: Read, drive: Drive, forecast: Ask, results: Path
) -> None:
    small = study(HEAD, 'attention = "none"\nsampler = "independent"', TRAIN)
    drive(small)
    old = next(results.glob("tunes/core-*.json"))
    content = json.loads(old.read_text())
    content["order"]["name"] = old.stem[:-16] + "0" * 16
    del content["sha256"]
    old.unlink()
    (old.parent / f"{content['order']['name']}.json").write_text(json.dumps(content))
    ((reasons, names),) = forecast(small).reasons
    assert reasons[0].field == "the version of the training, the scoring or a part"
    assert names == [content["order"]["name"]]


def test_the_command_trains_and_writes_nothing(
    write: Callable[..., Path], songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(HEAD, GRID, "steps = 2")
    before = sorted(tmp_path.rglob("*"))
    assert run(["bench", "run", str(file), "--data", f"tunes={songs}", "--dry-run", "--json"]) == 0
    (facts,) = json.loads(capsys.readouterr().out)
    assert (facts["data"], facts["cells"], facts["stored"]) == ("tunes", 11, [])
    assert len(facts["missing"]) + facts["open"] == 11
    assert run(["bench", "run", str(file), "--data", f"tunes={songs}", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "decided later: needed after the first results, which choose learning rates" in out
    assert re.search(r"tunes .* unknown\n", out)
    assert sorted(tmp_path.rglob("*")) == before


def test_studies_are_listed_with_their_stored_cells(
    study: Read, write: Callable[..., Path], drive: Drive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive(study(HEAD, GRID, TRAIN))
    write('data = ["tunes", "songs"]\nseeds = 2', 'attention = "none"', "steps = 5", name="another")
    (tmp_path / "broken.toml").write_text("[[grid]]\nattention = 'zzz'\n")
    (tmp_path / "recipe.toml").write_text("decoder = 'rbm'\n")
    assert run(["bench", "list", str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    rows = {row["study"]: row["data"] for row in json.loads(out)}
    assert rows == {
        "another": {
            name: {"cells": 5, "stored": int(name == "tunes"), "earlier": 0} for name in ("tunes", "songs")
        },
        "study": {"tunes": {"cells": 17, "stored": 17, "earlier": 0}},
    }
    assert "left out: attention=zzz" in err
    assert run(["bench", "list", str(tmp_path)]) == 0
    assert "another" in capsys.readouterr().out


def test_a_complete_study_is_listed_as_complete(
    study: Read, drive: Drive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one seed a part that learns nothing has one cell, and this music has no velocities to train on."""
    grid = 'attention = "none"\ndecoder = "uniform"\nvelocity = ["mean", "none"]'
    ran = len(drive(study('data = "tunes"\nseeds = 1', grid, TRAIN)))
    assert run(["bench", "list", str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["data"]["tunes"] == {"cells": ran, "stored": ran, "earlier": 0}


def test_durations() -> None:
    assert [duration(seconds) for seconds in (3, 600, 4500, 7200 + 1200)] == [
        "3 s",
        "10 min",
        "75 min",
        "2 h 20 min",
    ]
