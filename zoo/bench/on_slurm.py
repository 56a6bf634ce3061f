"""The SLURM runner: cells as jobs of a SLURM cluster, submitted with submitit.

The machines of the cluster share the folder of the trainings. A job that reaches its time limit or is
preempted is submitted once more, and resumes its training from the last checkpoint.

A driver holds a lock in a folder of its own as long as it lives. If it is killed, its jobs go on. The next
driver with the same folder of trainings removes the lock file of the dead one, and each job whose lock file
is gone saves its training and ends. Until then, jobs of the new driver wait: one process trains in a folder.
"""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from time import sleep
from typing import Any

from filelock import FileLock, Timeout

from zoo.bench.local import Process, stop
from zoo.bench.remote import run_on_worker, settle, settle_lost, with_absolute_place
from zoo.errors import Problem, UsageError
from zoo.files import writing
from zoo.train.lock import refuse_links

DEFAULTS: dict[str, Any] = {"name": "zoo", "timeout_min": 240, "cpus_per_task": 1}
"""Parameters of a job unless `--slurm` sets others."""
ALIVE = "driver"
"""The lock file of a driver."""
POLL = 0.5
"""Seconds between two checks whether jobs have ended; submitit asks SLURM itself once a minute at most."""


class SlurmRunner:
    """Runs cells as SLURM jobs.

    Args:
        work: folder for the trainings, on a disk that all machines share.
        jobs: maximum number of jobs that are submitted at a time; by default all.
        parameters: parameters of submitit such as `timeout_min` and `mem_gb`, or of SLURM such as
            `partition`. `cluster="local"` starts jobs on this machine instead, to try a study.

    Raises:
        UsageError: submitit is not installed, this machine has no SLURM, a parameter is invalid, or the
            folder contains links.
    """

    def __init__(
        self, work: Path, jobs: int | None = None, parameters: Mapping[str, str] | None = None
    ) -> None:
        self._work, self._here = work.resolve(), str(Path.cwd())
        folder, self._alive = _new_folder(self._work)
        self._file = str(folder / ALIVE)
        self._executor = _executor(folder, dict(parameters or {}))
        self._jobs = jobs
        self._waiting: list[tuple[dict[str, Any], Future[dict[str, Any]]]] = []
        self._running: list[tuple[Any, str, Future[dict[str, Any]]]] = []
        self._lock, self._closed = Lock(), Event()
        Thread(target=self._poll, daemon=True).start()

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Submit a cell; the future holds its result or raises `CellFailed`."""
        # submitit starts its local jobs with -m, which would import from the current folder.
        os.environ["PYTHONSAFEPATH"] = "1"
        answer: Future[dict[str, Any]] = Future()
        with self._lock:
            self._waiting.append((with_absolute_place(order), answer))
        return answer

    def close(self) -> None:
        """Cancel all jobs; their trainings are saved, and a later run resumes from them."""
        self._closed.set()
        Path(self._file).unlink(missing_ok=True)
        self._alive.release()
        with self._lock:
            for job, _, _ in self._running:
                with suppress(Exception):  # the job has ended by itself
                    job.cancel(check=False)

    def _poll(self) -> None:
        """Submit what is waiting, and settle what has ended, until the runner is closed."""
        while not self._closed.wait(POLL):
            with self._lock:
                ended = [entry for entry in self._running if _has_ended(entry[0])]
                self._running = [entry for entry in self._running if entry not in ended]
                while self._waiting and (self._jobs is None or len(self._running) < self._jobs):
                    self._start(*self._waiting.pop(0))
            for job, name, answer in ended:
                _settle_job(job, name, answer)

    def _start(self, order: dict[str, Any], answer: Future[dict[str, Any]]) -> None:
        try:
            job = self._executor.submit(run_as_job, order, str(self._work), self._here, self._file)
        except Exception as error:  # submitit passes on whatever sbatch answers
            problem = f"SLURM did not accept the job: {_last_line(error)}"
            settle(answer, {"problems": [(problem, order["name"], "")], "killed": False})
            return
        self._running.append((job, order["name"], answer))


def run_as_job(order: dict[str, Any], work: str, here: str, alive: str) -> dict[str, Any]:
    """Run a cell until its driver is found dead; see `zoo.bench.remote.run_on_worker`.

    Args:
        order: the cell.
        work: folder for the trainings.
        here: folder to which relative paths of code files refer.
        alive: the lock file of the driver, which is removed when it ends or is found dead.
    """
    if not Path(alive).exists():
        return {"problems": [("its driver has ended", order["name"], "")], "killed": True}
    return run_on_worker(order, work, here, partial(_stop_without, Path(alive)))


def _stop_without(alive: Path, process: Process) -> None:
    """Stop a process when a file is removed; returns at once."""

    def check() -> None:
        while process.poll() is None:
            with suppress(OSError):  # a disk that does not answer
                if not alive.exists():
                    stop(process)
                    return
            sleep(POLL)

    Thread(target=check, daemon=True).start()


def _new_folder(work: Path) -> tuple[Path, FileLock]:
    """A new folder for the pickled orders and results of this runner, and the lock in it.

    A result is unpickled, which can run code, so it must not be taken from a file that was there before.
    """
    place = work / "slurm"
    folder = place / secrets.token_hex(8)
    with writing(folder):
        place.mkdir(parents=True, exist_ok=True)
        refuse_links(place)
        # Without this lock, another driver could take this one for dead before it has locked its file.
        with FileLock(place / "lock"):
            _end_jobs_of_dead_drivers(place)
            folder.mkdir(mode=0o700)
            alive = FileLock(folder / ALIVE)
            alive.acquire()
    return folder, alive


def _end_jobs_of_dead_drivers(place: Path) -> None:
    """Remove the lock files that no process holds, which ends the jobs of their drivers."""
    for file in place.glob(f"*/{ALIVE}"):
        with suppress(Timeout, OSError), FileLock(file, timeout=0):
            file.unlink()


def _executor(folder: Path, parameters: dict[str, str]) -> Any:
    try:
        import submitit
    except ImportError as error:
        hint = "pip install 'polyzoo[slurm]', or leave out --runner slurm"
        raise UsageError(Problem("submitit is not installed", "--runner slurm", hint)) from error
    cluster = parameters.pop("cluster", "slurm")
    try:
        # -P: a cluster need not pass PYTHONSAFEPATH on to its jobs.
        executor = submitit.AutoExecutor(
            folder=folder / "%j", cluster=cluster, slurm_python=f"{shlex.quote(sys.executable)} -P"
        )
    except (RuntimeError, ValueError) as error:
        hint = "run it on a machine of the cluster, or try it with --slurm cluster=local"
        raise UsageError(Problem(_last_line(error), "--runner slurm", hint)) from error
    shared = submitit.AutoExecutor._typed_parameters()
    named = {name if name in shared else f"slurm_{name}": _value(value) for name, value in parameters.items()}
    try:
        executor.update_parameters(**DEFAULTS | named)
    except (NameError, AssertionError, ValueError) as error:
        what = str(error).partition("\n")[0]
        hint = f"use {', '.join(sorted(shared))}, or a parameter of SLURM such as partition"
        raise UsageError(Problem(what, "--slurm", hint)) from error
    return executor


def _value(text: str) -> int | float | str:
    """A parameter as a number, if it is one."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _has_ended(job: Any) -> bool:
    """Whether a job has ended; if the disk or SLURM does not answer, the next check asks again."""
    try:
        return bool(job.done())
    except Exception:
        return False


def _settle_job(job: Any, name: str, answer: Future[dict[str, Any]]) -> None:
    """Set the result or the `CellFailed` of a job that has ended."""
    try:
        reply = job.result()
    except Exception as error:  # of submitit: no result, or an error before the cell began
        settle_lost(answer, f"its job {job.job_id} ended without a result: {_last_line(error)}", name)
        return
    settle(answer, reply)


def _last_line(error: Exception) -> str:
    return next(iter(reversed(str(error).strip().splitlines())), type(error).__name__)
