"""Cells on Ray: on this machine, or on a cluster of many that is joined by its address.

The machines of a cluster need no shared disk. Each needs the zoo, and the music under the name or path that
is given here. A training stays in the work folder of the machine that did it; its result comes back. A cell
whose machine is lost begins again on another, from its checkpoint if the work folder is shared.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zoo.bench.local import CellFailed, run_process
from zoo.data.known import known
from zoo.errors import Problem, UsageError, ZooError


class OnRay:
    """Runs cells as Ray tasks, each in a process of its own on one core of whichever machine has one free.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, work: Path, jobs: int | None = None, address: str | None = None) -> None:
        _be_quiet(joins=address is not None)
        try:
            import ray
        except ImportError as error:
            cure = "pip install 'polyzoo[ray]', or leave out --runner ray"
            raise UsageError(Problem("Ray is not installed", "--runner ray", cure)) from error
        self._ray = ray
        self._nowhere = TemporaryDirectory(prefix="zoo-ray-")
        local: dict[str, Any] = {"num_cpus": jobs, "include_dashboard": False}
        try:
            _knock(address)
            # Ray's workers import from the folder that it is started in: an empty one, not that of a study.
            with chdir(self._nowhere.name):
                ray.init(
                    address=address or "local",
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **({} if address else local),
                )
        except Exception as error:  # what Ray raises for a start that takes too long is of no finer class
            place, cure = "--runner ray", "try again when the machine is less busy, or leave out --runner ray"
            if address:
                place, cure = f"--address {address}", "start one with `ray start --head`"
            what = f"no Ray cluster can be {'joined' if address else 'started'}: {_first_line(error)}"
            raise UsageError(Problem(what, place, cure)) from error
        self._task = ray.remote(num_cpus=1, max_retries=0)(_on_a_worker)
        self._work, self._here = str(work.resolve()), str(Path.cwd())

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """The result of a cell, some day; its exception is `CellFailed`."""
        answer: Future[dict[str, Any]] = Future()
        place = Path(order["place"])
        # A path is meant as seen from here, wherever a worker of this machine stands; a name is no path.
        is_path = place.exists() and order["place"] not in {corpus.name for corpus in known()}
        there = {**order, "place": str(place.resolve()) if is_path else order["place"]}
        told = self._task.remote(there, self._work, self._here).future()
        told.add_done_callback(lambda done: _pass_on(done, answer, order["name"]))
        return answer

    def close(self) -> None:
        """Wait for nothing more."""
        self._ray.shutdown()
        self._nowhere.cleanup()


def _on_a_worker(order: dict[str, Any], work: str, here: str) -> dict[str, Any]:
    place = Path(here) if Path(here).is_dir() else None
    try:
        return {"result": run_process(order, Path(work) / order["training"], here=place)}
    except ZooError as error:
        problems = [(problem.what, problem.where, problem.cure) for problem in error.problems]
        return {"problems": problems, "killed": isinstance(error, CellFailed) and error.killed}


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


def _be_quiet(*, joins: bool) -> None:
    """Let Ray tell nobody of itself, neither the user nor its makers, unless the user has said otherwise.

    A cluster of our own asks for a password that nobody else knows: whoever reaches it may run anything.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if not joins and "RAY_AUTH_MODE" not in os.environ:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


def _knock(address: str | None) -> None:
    """Find out at once that nobody is there; Ray would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
