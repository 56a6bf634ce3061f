"""Cells on Ray: on this machine, or on a cluster of many that is joined by its address."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from zoo.bench.local import CellFailed, run_process
from zoo.errors import Problem, UsageError


class OnRay:
    """Runs cells as Ray tasks, each in a process of its own on one core of whichever machine has one free.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, work: Path, jobs: int | None = None, address: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            cure = "pip install 'polyzoo[ray]', or leave out --runner ray"
            raise UsageError(Problem("Ray is not installed", "--runner ray", cure)) from error
        self._ray = ray
        try:
            ray.init(address=address, num_cpus=None if address else jobs, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            what = f"no Ray cluster can be joined: {error}"
            raise UsageError(
                Problem(what, f"--address {address}", "start one with `ray start --head`")
            ) from error
        self._task = ray.remote(num_cpus=1, max_retries=0)(_on_a_worker)
        self._work = str(work.resolve())

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """The result of a cell, some day; its exception is `CellFailed`."""
        answer: Future[dict[str, Any]] = Future()
        told = self._task.remote(dict(order), self._work).future()
        told.add_done_callback(lambda done: _pass_on(done, answer, order["name"]))
        return answer

    def close(self) -> None:
        """Wait for nothing more."""
        self._ray.shutdown()


def _on_a_worker(order: dict[str, Any], work: str) -> dict[str, Any]:
    try:
        return {"result": run_process(order, Path(work) / order["name"], threads=1)}
    except CellFailed as error:
        problems = [(problem.what, problem.where, problem.cure) for problem in error.problems]
        return {"problems": problems, "killed": error.killed}


def _pass_on(done: Future[dict[str, Any]], answer: Future[dict[str, Any]], name: str) -> None:
    """Turn what Ray says into what a runner promises; a worker that died may be tried again."""
    try:
        told = done.result()
    except Exception as error:
        problem = Problem(f"its Ray worker died: {type(error).__name__}", name)
        answer.set_exception(CellFailed(problem, killed=True))
        return
    if "result" in told:
        answer.set_result(told["result"])
    else:
        answer.set_exception(CellFailed(*(Problem(*p) for p in told["problems"]), killed=told["killed"]))
