"""Trackers: other tools read the values in `metrics.jsonl`, also after resuming."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.cell import budget
from zoo.data import Corpus
from zoo.errors import UsageError, ZooError
from zoo.train.events import Event, Stepped
from zoo.train.fit import fit
from zoo.train.lock import lock_folder
from zoo.train.run import Run
from zoo.train.settings import TrainSettings
from zoo.train.trackers import trackers

Make = Callable[..., Any]
Values = list[tuple[str, int, float]]


@pytest.fixture
def train(tiny: Make, fast: Make, corpus: Corpus, run_folder: Path) -> Callable[..., None]:
    """Train six steps with a tracker, killed at the fifth and resumed from the third."""

    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 5:
            raise ZooError("killed")

    def train(tracker: str) -> None:
        settings = fast(steps=6, tracker=tracker)
        with lock_folder(run_folder), pytest.raises(ZooError, match="killed"):
            fit(tiny(), corpus, settings, Run(run_folder), stop)
        with lock_folder(run_folder):
            fit(tiny(), corpus, settings, Run(run_folder), resume=True)

    return train


def recorded(folder: Path) -> Values:
    """The values in `metrics.jsonl`: name, step, value."""
    values: Values = []
    for event in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines()):
        values += [(f"loss/{term}", event["step"], value) for term, value in event.get("losses", {}).items()]
        nats = event.get("nats", {})
        values += [(f"nats/{term}", event["step"], value) for term, value in nats.items()]
        values += [("nats/total", event["step"], sum(nats.values()))] if nats else []
    return sorted(values)


def test_event_files_equal_the_metrics(train: Callable[..., None], run_folder: Path) -> None:
    pytest.importorskip("tensorboard")
    train("tensorboard")
    # TensorBoard's own reader, which warns about its dependencies when imported.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(run_folder / "tensorboard")).Reload()
    values = [(name, item.step, item.value) for name in read.Tags()["scalars"] for item in read.Scalars(name)]
    expected = recorded(run_folder)
    assert [value[:2] for value in sorted(values)] == [value[:2] for value in expected]
    assert [value[2] for value in sorted(values)] == pytest.approx([value[2] for value in expected], rel=1e-6)
    assert len(values) == 6 * 2 + 2 * 3


def test_the_csv_table_equals_the_metrics(train: Callable[..., None], run_folder: Path) -> None:
    train("csv")
    with (run_folder / "tracker.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted((row["name"], int(row["step"]), float(row["value"])) for row in rows) == recorded(
        run_folder
    )
    assert float(rows[-1]["seconds"]) > 0


def test_a_damaged_csv_table_does_not_prevent_resuming(
    tiny: Make, fast: Make, corpus: Corpus, run_folder: Path
) -> None:
    for steps in (2, 4):
        with lock_folder(run_folder) as folder:
            fit(tiny(), corpus, fast(steps=steps, tracker="csv"), Run(folder), resume=True)
        table = run_folder / "tracker.csv"
        whole = table.read_text()
        table.write_bytes(table.read_bytes() + b'\xff,"\0\n\xc2\xb2,0,loss/core,1\n' + b"9" * 200_000)
    assert [line.split(",")[0] for line in whole.splitlines() if "loss/core" in line] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    "spoil",
    [lambda table: table.write_text("9" * 5000 + ",0,loss/core,1\n"), os.mkfifo],
    ids=["digits", "pipe"],
)
def test_a_table_that_cannot_be_read_is_replaced(
    spoil: Callable[[Path], object], tiny: Make, fast: Make, corpus: Corpus, run_folder: Path
) -> None:
    """A run received from someone else may contain anything under this name."""
    table = run_folder / "tracker.csv"
    for steps in (1, 2):
        with lock_folder(run_folder) as folder:
            fit(tiny(), corpus, fast(steps=steps, tracker="csv"), Run(folder), resume=True)
        lines = table.read_text().splitlines()
        assert [line.split(",")[0] for line in lines if "loss/core" in line] == [str(steps)]
        table.unlink()
        spoil(table)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Values]]:
    """Read an empty local store of trackio: name of a run -> its values, except `seconds`."""
    pytest.importorskip("trackio", reason="needs the extra `trackio`")
    from trackio import context_vars, sqlite_storage, utils  # as the environment variable TRACKIO_DIR does

    for module in (utils, sqlite_storage):
        monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path / "store")
    context_vars.current_run.set(None)

    def read() -> dict[str, Values]:
        runs: dict[str, Values] = {}
        for name in sqlite_storage.SQLiteStorage.get_runs("polyzoo"):
            rows = sqlite_storage.SQLiteStorage.get_logs("polyzoo", name)
            runs[name] = sorted(
                (key, row["step"], value)
                for row in rows
                for key, value in row.items()
                if key.startswith(("loss/", "nats/"))
            )
        return runs

    return read


def test_the_store_of_trackio_equals_the_metrics(
    train: Callable[..., None], run_folder: Path, stored: Callable[[], dict[str, Values]]
) -> None:
    train("trackio")
    (values,) = stored().values()
    assert values == recorded(run_folder)
    assert len(values) == 6 * 2 + 2 * 3


def test_trackio_tells_runs_in_folders_of_the_same_name_apart(
    tiny: Make, fast: Make, corpus: Corpus, tmp_path: Path, stored: Callable[[], dict[str, Values]]
) -> None:
    folders = [tmp_path / "a" / "run", tmp_path / "b" / "run"]
    for steps, folder in ((1, folders[0]), (2, folders[1]), (3, folders[0])):
        with lock_folder(folder):
            fit(tiny(), corpus, fast(steps=steps, tracker="trackio"), Run(folder), resume=True)
    assert sorted(stored().values()) == sorted(map(recorded, folders))


def test_trackio_keeps_the_history_of_a_run_that_was_in_the_same_folder(
    tiny: Make, fast: Make, corpus: Corpus, tmp_path: Path, stored: Callable[[], dict[str, Values]]
) -> None:
    folder, moved = tmp_path / "run", tmp_path / "moved"
    for steps in (2, 3):
        with lock_folder(folder):
            fit(tiny(), corpus, fast(steps=steps, tracker="trackio"), Run(folder), resume=True)
        if steps == 2:
            folder.rename(moved)
    assert sorted(stored().values()) == sorted(map(recorded, (moved, folder)))


def test_a_tracker_changes_neither_weights_nor_what_a_run_is(
    tiny: Make, fast: Make, corpus: Corpus, tmp_path: Path
) -> None:
    best = []
    for tracker in ("none", "csv"):
        with lock_folder(tmp_path / tracker) as folder:
            best.append(fit(tiny(), corpus, fast(steps=3, tracker=tracker), Run(folder)).best)
    assert best[0] == best[1]
    assert budget(TrainSettings(tracker="csv")) == budget(TrainSettings())
    with lock_folder(tmp_path / "none") as folder:
        fit(tiny(), corpus, fast(steps=6, tracker="csv"), Run(folder), resume=True)


@pytest.mark.parametrize("name", ["tensorboard", "trackio"])
def test_the_extra_is_named_where_a_package_is_missing(
    name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, {"tensorboard": "torch.utils.tensorboard"}.get(name, name), None)
    with pytest.raises(ZooError) as caught:
        trackers(name, tmp_path)
    assert caught.value.problems[0].hint == f"pip install 'polyzoo[{name}]'"


def test_a_tracker_needs_a_run(tiny: Make, fast: Make, corpus: Corpus) -> None:
    with pytest.raises(UsageError, match="run folder"):
        fit(tiny(), corpus, fast(steps=1, tracker="csv"))
