"""`zoo bench`: checks before any work, and output."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.bench.cell import FloorsCell
from zoo.bench.local import CellFailed
from zoo.bench.reading import READING
from zoo.bench.results import Results
from zoo.cli.main import run
from zoo.errors import Problem

File = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> File:
    """A study of parts that learn nothing, in a file: `written("here", "there")`."""

    def write_study(*music: str) -> Path:
        file = tmp_path / "study.toml"
        grid = 'attention = "last"\nsampler = "rates"\ndecoder = "uniform"'
        file.write_text(f"data = {json.dumps(music)}\nseeds = 1\n[train]\nsteps = 2\n[[grid]]\n{grid}\n")
        return file

    return write_study


def store_floors(results: Path, data: str, digest: str = "d" * 64) -> Path:
    """A result of some music."""
    cell, stored = FloorsCell("onset", data, "test"), Results(results)
    music = {"digest": digest, "planes": ["onset"], "reading": READING}
    stored.write(cell, {"order": cell.order(""), "data": music, "made": {}, "floors": {}})
    return stored.path(cell)


class Begun:
    """A runner that only shows that work was started."""

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        answer: Future[dict[str, Any]] = Future()
        answer.set_exception(CellFailed(Problem("work was begun", order["name"])))
        return answer

    def close(self) -> None:
        pass


def test_results_of_other_music_stop_a_run_before_any_work(
    written: File,
    songs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zoo.cli.bench._runner", lambda *words: Begun())
    stored_before = store_floors(tmp_path / "results", "songs")
    words = ["bench", "run", str(written("songs")), "--data", f"songs={songs}"]
    assert run(words) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "a result here is of other music (dddddddddddd) than" in message
    assert "use --results ELSEWHERE to keep both, or --replace to compute them again" in message
    assert "work was begun" not in message
    assert list((tmp_path / "results" / "songs").iterdir()) == [stored_before]

    for more in (["--replace"], ["--results", str(tmp_path / "elsewhere")]):
        assert run([*words, *more]) == 1
        assert "floors of onset keys on songs: work was begun" in capsys.readouterr().err


@pytest.mark.parametrize("link", ["results", "runs", "runs/core-onset-none-rates-s0", "runs/study.driver"])
def test_a_link_in_a_study_of_a_friend_stops_a_run_before_any_work(
    link: str,
    written: File,
    songs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker would take a run of the user that a link points to for an outdated training, and remove it."""
    monkeypatch.setattr("zoo.cli.bench._runner", lambda *words: Begun())
    (tmp_path / "thesis").mkdir()
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "thesis")
    words = ["bench", "run", str(written("songs")), "--data", f"songs={songs}"]
    assert run(words) == 2
    message = capsys.readouterr().err
    assert f"{link}: is a link" in " ".join(message.split())
    assert "work was begun" not in message
    assert list((tmp_path / "thesis").iterdir()) == []
    if link in ("results", "runs"):  # one that the user names is followed
        option = {"results": "--results", "runs": "--work"}[link]
        assert f"with {option}" in message
        assert run([*words, option, str(tmp_path / link)]) == 1
        assert "work was begun" in capsys.readouterr().err


def test_results_are_not_packed_through_a_link(
    written: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_floors(tmp_path / "elsewhere", "songs")
    (tmp_path / "results").symlink_to(tmp_path / "elsewhere")
    words = ["bench", "pack", str(written("songs"))]
    assert run(words) == 2
    assert "results: is a link" in " ".join(capsys.readouterr().err.split())
    assert run([*words, "--results", str(tmp_path / "results")]) == 0


def test_table_needs_results_of_its_dataset_only(
    written: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written("here", "there")
    store_floors(tmp_path / "results", "here")
    store_floors(tmp_path / "results", "there").write_text("{")
    assert run(["bench", "table", str(file), "--data", "here"]) == 0
    capsys.readouterr()
    assert run(["bench", "table", str(file)]) == 1
    assert "damaged" in capsys.readouterr().err


def test_table_has_one_format_at_a_time(written: File, capsys: pytest.CaptureFixture[str]) -> None:
    for forms in (("--md", "--json"), ("--md", "--latex"), ("--latex", "--json")):
        assert run(["bench", "table", str(written("here")), *forms]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert f"{' '.join(forms)}: a table is printed in one format at a time" in err
        assert "choose one of them" in err


@pytest.mark.parametrize("option", ["--work", "--results"])
def test_unwritable_folder_is_reported_with_a_hint(
    option: str, written: File, songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ["bench", "run", str(written("songs")), "--data", f"songs={songs}"]
    assert run([*words, option, str(tmp_path / "file" / "below")]) == 1
    message = " ".join(capsys.readouterr().err.split())
    assert "cannot be written" in message
    assert f"choose a writable folder with {option}" in message


def test_missing_dataset_gets_a_hint_for_its_path(written: File, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "run", str(written("nowhere", "neither"))]) == 3
    message = capsys.readouterr().err
    for name in ("nowhere", "neither"):
        assert f"give its path: --data {name}=PATH" in message


def test_an_encoder_that_cannot_read_the_music_stops_a_run_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    monkeypatch.setattr("zoo.cli.bench._runner", lambda *words: Begun())
    keys = np.zeros((8, 88), np.uint8)
    keys[:, 40] = 1
    piece = np.empty((1, 1), object)
    piece[0, 0] = keys
    savemat(tmp_path / "set.mat", dict.fromkeys(("traindata", "validdata", "testdata"), piece))
    file = tmp_path / "study.toml"
    file.write_text('data = "set"\n[[grid]]\nencoder = ["onset", "sounding"]\nattention = "last"\n')
    words = ["bench", "run", str(file), "--data", f"set={tmp_path / 'set.mat'}"]
    assert run(words) == 2
    message = capsys.readouterr().err
    assert message.count("set: this music has no onsets") == 1
    assert "work was begun" not in message
    file.write_text(file.read_text().replace('["onset", "sounding"]', '"sounding"'))
    assert run(words) == 1
    assert "work was begun" in capsys.readouterr().err


def test_table_accepts_the_data_option_of_a_run(
    written: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written("here", "there")
    store_floors(tmp_path / "results", "here")
    assert run(["bench", "table", str(file), "--data", "here=/some/path:PIANO", "--json"]) == 0
    assert [table["data"]["name"] for table in json.loads(capsys.readouterr().out)] == ["here"]
    assert run(["bench", "table", str(file), "--data", "her"]) == 2
    assert "is not music of the study" in capsys.readouterr().err


def test_stopped_run_reports_its_progress(
    written: File, songs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Begun):
        def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
            answer: Future[dict[str, Any]] = Future()
            answer.result = interrupted  # type: ignore[method-assign]
            answer.set_result({})
            return answer

    def interrupted(timeout: float | None = None) -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.cli.bench._runner", lambda *words: Stopped())
    assert run(["bench", "run", str(written("songs")), "--data", f"songs={songs}"]) == 130
    message = capsys.readouterr().err
    assert "stopped; 0 of 3 cells are done. Repeat the command to continue." in message
