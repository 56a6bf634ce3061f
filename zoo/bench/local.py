"""Cells as processes of this machine, a few side by side."""

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

Process = subprocess.Popen[str]


class CellFailed(ZooError):
    """A cell ended without a result.

    Attributes:
        killed: whether it was ended from outside, so that another try may succeed.
    """

    def __init__(self, *problems: Problem, killed: bool = False) -> None:
        super().__init__(*problems)
        self.killed = killed


class Local:
    """Runs so many cells side by side, each in a process of its own."""

    def __init__(self, work: Path, jobs: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.jobs = jobs or cores
        self._work = work
        self._pool = ThreadPoolExecutor(self.jobs)
        self._begun: list[Process] = []
        self._closed = False

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """The result of a cell, some day; its exception is `CellFailed`."""
        return self._pool.submit(run_process, order, self._work / order["training"], self._watch)

    def close(self) -> None:
        """Wait for nothing more; what is being done is saved, and goes on from there another time."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in list(self._begun):
            _give_up(process)

    def _watch(self, process: Process) -> None:
        self._begun.append(process)
        if self._closed:
            _give_up(process)


def _give_up(process: Process) -> None:
    """Let a cell know that nobody waits for it: it ends within seconds."""
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()


def run_process(
    order: Mapping[str, Any],
    folder: Path,
    watch: Callable[[Process], None] | None = None,
    here: Path | None = None,
) -> dict[str, Any]:
    """Do one cell in a process of its own, with its training in a folder.

    Args:
        order: see `Cell.order`.
        folder: where the training is kept.
        watch: given the process as soon as it has its order.
        here: where files of code are looked for; the current folder unless given.

    Raises:
        CellFailed: it ended without a result.
        ZooError: the folder cannot be made.
    """
    with writing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    # Cells run side by side, so each has one thread, unless the user or the study's train.threads says more.
    environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "COLUMNS": "500"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "zoo.bench.work", str(folder)],  # nothing beside a study is imported
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=here,
        start_new_session=True,  # Ctrl-C is for us, who then give up what is being done
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with suppress(BrokenPipeError):  # it died at once, and its exit code says so
        process.stdin.write(json.dumps(dict(order)) + "\n")
        process.stdin.flush()
    if watch is not None:
        watch(process)
    # Standard input stays open as long as we live; `communicate` would close it.
    with process, ThreadPoolExecutor(1) as reader:
        said = reader.submit(process.stderr.read)
        answer = process.stdout.read()
        code = process.wait()
        _give_up(process)
    if code == 0 and answer:  # whatever a part calls, only who has a result says something and ends well
        result: dict[str, Any] = json.loads(answer)
        return result
    raise _failure(order, code, answer, said.result())


def _failure(order: Mapping[str, Any], code: int, answer: str, said: str) -> CellFailed:
    name = order["name"]
    if code < 0:
        cure = "where memory is short, give fewer --jobs; the same command goes on where it was"
        return CellFailed(Problem(f"was killed (signal {-code})", name, cure), killed=True)
    try:
        told = [Problem(**problem) for problem in json.loads(answer)["problems"]]
    except (ValueError, KeyError, TypeError):
        last = next((line for line in reversed(said.splitlines()) if line.strip()), f"exit code {code}")
        return CellFailed(Problem(f"ended without a result: {last.strip()}", name))
    return CellFailed(*(Problem(p.what, f"{p.where} in {name}" if p.where else name, p.cure) for p in told))
