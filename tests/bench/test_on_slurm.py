"""Studies as SLURM jobs, with submitit's local executor in place of a cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from zoo.bench.on_slurm import POLL, SlurmRunner, run_as_job
from zoo.cli.main import run
from zoo.errors import UsageError
from zoo.train.lock import is_locked

from .conftest import stored_results

pytest.importorskip("submitit", reason="submitit is not installed")

Write = Callable[..., Path]
Bench = Callable[..., "subprocess.Popen[str]"]
HEAD = 'data = "tunes"\nseeds = 1'
GRID = 'attention = "none local=4 features=5"\nsampler = "independent"\ndecoder = "uniform"'
LOCAL = ("--runner", "slurm", "--slurm", "cluster=local")


def errors(process: subprocess.Popen[str], code: int = 0) -> str:
    """The standard error of a run with the expected exit code."""
    _, err = process.communicate(timeout=500)
    assert process.returncode == code, err
    return err


@pytest.mark.slow
def test_jobs_give_the_same_results_as_processes(
    write: Write, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write(HEAD, GRID).rename(folder / "study.toml")
    errors(bench(here / "study.toml", "--jobs", "1"))
    monkeypatch.chdir(there)
    for name in ("queue", "secrets", "numpy"):
        Path(f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write('{name} ')")
    errors(bench(there / "study.toml", *LOCAL, "--jobs", "2"))
    assert len(stored_results(here / "study.toml")) == 3
    assert stored_results(there / "study.toml") == stored_results(here / "study.toml")
    assert not (tmp_path / "imported").exists()


@pytest.mark.slow
def test_a_killed_job_is_submitted_again(write: Write, bench: Bench, tmp_path: Path) -> None:
    study = write(HEAD, GRID, "steps = 300")
    driver = bench(study, *LOCAL)
    killed = False
    while not killed and driver.poll() is None:
        for path in tmp_path.glob("runs/core-*/holder.json"):
            with suppress(OSError, ValueError):
                os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)
                killed = True
        time.sleep(0.01)
    errors(driver)
    assert killed
    assert len(stored_results(study)) == 3


@pytest.mark.slow
def test_ctrl_c_cancels_the_jobs(write: Write, bench: Bench, tmp_path: Path) -> None:
    driver = bench(write(HEAD, GRID, "steps = 100000"), *LOCAL)
    holders: list[Path] = []
    while not holders and driver.poll() is None:
        holders = list(tmp_path.glob("runs/core-*/holder.json"))
        time.sleep(0.01)
    worker = json.loads(holders[0].read_text())["pid"]
    driver.send_signal(signal.SIGINT)
    errors(driver, 130)
    end = time.monotonic() + 300
    while Path(f"/proc/{worker}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


@pytest.mark.slow
def test_the_next_driver_ends_the_jobs_of_one_that_was_killed(
    write: Write, bench: Bench, tmp_path: Path
) -> None:
    driver = bench(write(HEAD, GRID, "steps = 100000"), *LOCAL)
    trained: list[Path] = []
    while not trained and driver.poll() is None:
        trained = list(tmp_path.glob("runs/core-*/best.safetensors"))
        time.sleep(0.01)
    worker = json.loads((trained[0].parent / "holder.json").read_text())["pid"]
    driver.kill()
    driver.wait(60)
    time.sleep(3 * POLL)
    assert Path(f"/proc/{worker}").exists(), "without another driver, its jobs go on"
    SlurmRunner(tmp_path / "runs", parameters={"cluster": "local"}).close()
    end = time.monotonic() + 300
    while Path(f"/proc/{worker}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()
    assert not is_locked(trained[0].parent)
    assert (trained[0].parent / "last.safetensors").exists()


@pytest.mark.slow
def test_a_job_that_starts_after_its_driver_has_died_does_nothing(tmp_path: Path) -> None:
    reply = run_as_job({"name": "core-1", "training": "core-1"}, str(tmp_path), ".", str(tmp_path / "driver"))
    assert reply["killed"]
    assert list(tmp_path.iterdir()) == []


def test_jobs_of_a_driver_that_lives_go_on(tmp_path: Path) -> None:
    living = SlurmRunner(tmp_path, parameters={"cluster": "local"})
    SlurmRunner(tmp_path, parameters={"cluster": "local"}).close()
    assert Path(living._file).exists()
    living.close()
    assert not Path(living._file).exists()


def test_a_result_that_came_with_the_folder_is_not_unpickled(tmp_path: Path) -> None:
    runners = [SlurmRunner(tmp_path, parameters={"cluster": "local"}) for _ in range(2)]
    for runner in runners:
        runner.close()
    folders = [runner._executor.folder.parent for runner in runners]
    assert folders[0] != folders[1]
    for folder in folders:
        assert folder.parent == tmp_path / "slurm"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert list(folder.iterdir()) == []


def test_a_link_in_the_folder_of_jobs_deletes_no_file_elsewhere(tmp_path: Path) -> None:
    precious = tmp_path / "golf" / "driver"
    precious.parent.mkdir()
    precious.write_text("precious")
    (tmp_path / "runs" / "slurm").mkdir(parents=True)
    (tmp_path / "runs" / "slurm" / "0123456789abcdef").symlink_to(precious.parent)
    with pytest.raises(UsageError, match="0123456789abcdef: is a link"):
        SlurmRunner(tmp_path / "runs", parameters={"cluster": "local"})
    assert precious.read_text() == "precious"


def test_jobs_of_a_cluster_import_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    srun = tmp_path / "srun"  # submitit takes a machine that has it for one of a cluster
    srun.write_text("#!/bin/sh\n")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    runner = SlurmRunner(tmp_path)
    runner.close()
    assert f"{sys.executable} -P -u -m submitit" in runner._executor._executor._submitit_command_str


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--slurm", "cluster=local"], "only the SLURM runner has parameters"),
        (["--runner", "slurm", "--slurm", "partition"], "is not a parameter"),
        (["--runner", "slurm", "--slurm", "cluster=moon"], "moon"),
        ([*LOCAL, "--slurm", "colour=red"], "'colour'"),
        ([*LOCAL, "--slurm", "timeout_min=soon"], '"timeout_min"'),
    ],
)
def test_invalid_parameters_are_errors(
    write: Write, songs: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "run", str(write(HEAD, GRID)), "--data", f"tunes={songs}", *words]) == 2
    assert message in capsys.readouterr().err


def test_without_slurm_the_hint_names_the_local_trial(
    write: Write, songs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    study = write(HEAD, GRID)
    assert run(["bench", "run", str(study), "--data", f"tunes={songs}", "--runner", "slurm"]) == 2
    assert "--slurm cluster=local" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_asked_again() -> None:
    from zoo.bench.on_slurm import _has_ended

    class Job:
        def __init__(self) -> None:
            self.checks = 0

        def done(self) -> bool:
            self.checks += 1
            if self.checks == 1:
                raise OSError("stale file handle")
            return True

    job = Job()
    assert [_has_ended(job), _has_ended(job)] == [False, True]
