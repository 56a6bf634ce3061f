"""The local runner: cells as processes on this machine, several in parallel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.errors import Problem, ZooError
from zoo.files import writing

KILLED = 0xC000_0000
"""On Windows, exit codes from here on are those of processes that the system ended. One that another program
ended has any code, but wrote nothing."""

Process = subprocess.Popen[str]


class CellFailed(ZooError):
    """A cell ended without a result.

    Attributes:
        killed: whether its process was killed, so that another try may succeed.
    """

    def __init__(self, *problems: Problem, killed: bool = False) -> None:
        super().__init__(*problems)
        self.killed = killed


def default_jobs() -> int:
    """Number of parallel cells if nothing else is asked for: one for each core."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalRunner:
    """Runs cells in parallel, each in its own process.

    Args:
        work: folder for the trainings.
        jobs: number of parallel cells; by default one for each core.
    """

    def __init__(self, work: Path, jobs: int | None = None) -> None:
        self.jobs = jobs or default_jobs()
        self._work = work
        self._pool = ThreadPoolExecutor(self.jobs)
        self._started: list[Process] = []
        self._closed = False

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Start a cell; the future holds its result or raises `CellFailed`."""
        return self._pool.submit(run_process, order, self._work / order["training"], self._watch)

    def close(self) -> None:
        """Cancel all pending cells; running ones save their training, from which a later run resumes."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in list(self._started):
            stop(process)

    def _watch(self, process: Process) -> None:
        self._started.append(process)
        if self._closed:
            stop(process)


def stop(process: Process) -> None:
    """Close standard input, which tells the process to save and exit within seconds."""
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()


def run_process(
    order: Mapping[str, Any],
    folder: Path,
    watch: Callable[[Process], None] | None = None,
    here: Path | None = None,
) -> dict[str, Any]:
    """Run one cell in its own process.

    Args:
        order: see `Cell.order`.
        folder: folder for the training.
        watch: called with the process once it has received the order.
        here: folder to which relative paths of code files refer; by default the current one.

    Raises:
        CellFailed: the process ended without a result.
        ZooError: the folder cannot be created.
    """
    with writing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    # Cells run in parallel, so each has one thread unless the environment or train.threads sets more.
    environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "COLUMNS": "500"}
    process = subprocess.Popen(
        # -P: never import from the current folder
        [sys.executable, "-P", "-m", "zoo.bench.work", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=here,
        start_new_session=True,  # Ctrl-C reaches only this process, which then stops the cells
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with suppress(BrokenPipeError):  # it died at once; the exit code is handled below
        process.stdin.write(json.dumps(dict(order)) + "\n")
        process.stdin.flush()
    if watch is not None:
        watch(process)
    # Standard input stays open as long as this process lives; `communicate` would close it.
    with process, ThreadPoolExecutor(1) as reader:
        errors = reader.submit(process.stderr.read)
        answer = process.stdout.read()
        code = process.wait()
        stop(process)
    if code == 0 and answer:  # a part that calls sys.exit(0) leaves no answer
        result: dict[str, Any] = json.loads(answer)
        return result
    raise _failure(order, code, answer, errors.result())


def _failure(order: Mapping[str, Any], code: int, answer: str, errors: str) -> CellFailed:
    name = order["name"]
    if code < 0 or code >= KILLED or (code and not (answer or errors.strip())):
        hint = "if memory is short, use fewer --jobs; the same command continues from here"
        how = f"signal {-code}" if code < 0 else f"exit code {code:#x}"
        return CellFailed(Problem(f"was killed ({how})", name, hint), killed=True)
    try:
        problems = [Problem(**problem) for problem in json.loads(answer)["problems"]]
    except (ValueError, KeyError, TypeError):
        last = next((line for line in reversed(errors.splitlines()) if line.strip()), f"exit code {code}")
        return CellFailed(Problem(f"ended without a result: {last.strip()}", name))
    return CellFailed(
        *(Problem(p.what, f"{p.where} in {name}" if p.where else name, p.hint) for p in problems)
    )
