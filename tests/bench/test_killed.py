"""Complete runs of studies that are killed, interrupted or started twice give the usual results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.bench.stored import from_line, to_line
from zoo.cli.main import run

from .conftest import stored_results

pytestmark = pytest.mark.slow

Write = Callable[..., Path]
Bench = Callable[..., "subprocess.Popen[str]"]
GRID = 'attention = ["none local=4 features=5", "last"]\nsampler = "independent"\ndecoder = "uniform"'
CELLS = 6
"""Two cores from two seeds, a decoder that learns nothing, and the floors."""


@pytest.fixture
def file(write: Write) -> Path:
    """Six cells, of which four are trained for about a second each."""
    return write('data = "tunes"\nseeds = 2', GRID, "steps = 60")


def until(condition: Callable[[], Any], seconds: float = 300) -> Any:
    """Poll until the function returns something true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError("timed out")


def holders(work: Path, begun: bool = True) -> dict[str, int]:
    """The process that trains each cell; with `begun`, only cells that can be resumed."""
    pids = {}
    for path in work.glob("*-s[0-9]*/holder.json"):
        try:
            if not begun or (path.parent / "last.safetensors").exists():
                pids[path.parent.name] = json.loads(path.read_text())["pid"]
        except (OSError, ValueError):
            continue
    return pids


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    assert "Traceback" not in err
    return out, err


def table(study: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The table of a study, without training times."""
    for path in (study.parent / "results").glob("*/*.json"):
        content = from_line(path.read_bytes())
        path.write_text(to_line(content | {"seconds": 1.0} if "seconds" in content else content))
    capsys.readouterr()
    assert run(["bench", "table", str(study), "--md"]) == 0
    return capsys.readouterr().out


def test_killed_and_restarted_study_gives_the_table_of_an_uninterrupted_one(
    file: Path, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unbroken = tmp_path / "unbroken"
    unbroken.mkdir()
    (unbroken / file.name).write_bytes(file.read_bytes())
    summary = json.loads(ended(bench(unbroken / file.name, "--jobs", "1", "--json"))[0])
    assert summary == {"cells": CELLS, "done": CELLS, "ran": CELLS, "failed": {}}

    driver = bench(file, "--jobs", "2")
    name, pid = until(lambda: next(iter(holders(tmp_path / "runs").items()), None))
    os.kill(pid, signal.SIGKILL)
    until(lambda: holders(tmp_path / "runs", begun=False).get(name, pid) != pid)  # it is retried
    until(lambda: stored_results(file))
    driver.kill()
    driver.wait()
    left = holders(tmp_path / "runs", begun=False).values()
    until(lambda: not any(lives(pid) for pid in left), 100)

    before = stored_results(file)
    assert 0 < len(before) < CELLS
    summary = json.loads(ended(bench(file, "--jobs", "1", "--json"))[0])
    assert summary["ran"] == CELLS - len(before)
    assert stored_results(file) == stored_results(unbroken / file.name)
    assert table(file, capsys) == table(unbroken / file.name, capsys)


def test_finished_study_is_detected_without_torch(songs: Path, write: Write) -> None:
    file = write('data = "tunes"\nseeds = 1', 'attention = "last"\nsampler = "rates"\ndecoder = "uniform"')
    words = ["bench", "run", str(file), "--data", f"tunes={songs}", "--jobs", "1"]
    assert run(words) == 0
    script = "import sys; from zoo.cli.main import run; sys.exit(run(sys.argv[1:]) or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script, *words], check=False).returncode == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_study_saves_trainings_and_stops_workers(
    name: str, write: Write, bench: Bench, tmp_path: Path
) -> None:
    long = write('data = "tunes"\nseeds = 1', GRID, "steps = 100000")
    driver = bench(long, "--jobs", "2")
    cells = until(lambda: len(pids := holders(tmp_path / "runs")) == 2 and pids)
    _, err = ended(bench(long), 2)
    assert f"process {driver.pid}" in err
    assert "runs this study" in err

    driver.send_signal(signal.Signals[name])
    ended(driver, 128 + signal.Signals[name])
    assert not any(lives(pid) for pid in cells.values())
    for name in cells:
        folder = tmp_path / "runs" / name
        assert (folder / "last.safetensors").exists()
        assert not (folder / "holder.json").exists()
    assert not list((tmp_path / "runs").glob("*.driver"))


def test_two_studies_that_need_one_cell_share_it(write: Write, bench: Bench, tmp_path: Path) -> None:
    grid = 'attention = "last"\nsampler = "independent"\ndecoder = "uniform"'
    files = [write('data = "tunes"\nseeds = 1', grid, "steps = 60", name=name) for name in ("one", "two")]
    for driver in [bench(file, "--jobs", "1") for file in files]:
        ended(driver)
    assert len(stored_results(files[0])) == 3
    core, decoder = sorted((tmp_path / "runs").iterdir())
    assert (core.name.partition("-")[0], decoder.name.partition("-")[0]) == ("core", "decoder")
    events = [json.loads(line) for line in (core / "metrics.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events if event["event"] == "stepped"] == list(range(1, 61))
