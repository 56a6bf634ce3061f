"""The Ray runner: cells as Ray tasks, on this machine or on the cluster at a given address.

The machines of a cluster need no shared disk. Each needs polyzoo, and the music under the name or path given
here. A training stays in the work folder of its machine, and only its result is sent back. If a machine is
lost, its cell starts again on another, from the last checkpoint if the work folder is shared.
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

from zoo.bench.remote import run_on_worker, settle, settle_lost, with_absolute_place
from zoo.errors import Problem, UsageError


class RayRunner:
    """Runs cells as Ray tasks, each in its own process on one core of the cluster.

    Args:
        work: folder for the trainings, on each machine.
        jobs: number of parallel cells on a local cluster; by default one for each core.
        address: address of the cluster to join; by default a local one is started.

    Raises:
        UsageError: Ray is not installed, or no cluster answers at the address.
    """

    def __init__(self, work: Path, jobs: int | None = None, address: str | None = None) -> None:
        _configure(joins=address is not None)
        try:
            import ray
        except ImportError as error:
            hint = "pip install 'polyzoo[ray]', or leave out --runner ray"
            raise UsageError(Problem("Ray is not installed", "--runner ray", hint)) from error
        self._ray = ray
        # Only this user may enter it. Like Ray's own it is not in $TMPDIR, as paths of sockets must be short.
        place = os.environ.get("RAY_TMPDIR") or ("/tmp" if os.name == "posix" else None)
        self._folder = TemporaryDirectory(prefix="zoo-ray-", dir=place, ignore_cleanup_errors=True)
        empty, session = (Path(self._folder.name) / name for name in ("empty", "ray"))
        empty.mkdir()
        local: dict[str, Any] = {"num_cpus": jobs, "include_dashboard": False, "_temp_dir": str(session)}
        try:
            _check_reachable(address)
            # Ray's workers import from the folder where Ray was started, so start it in an empty one.
            with chdir(empty):
                ray.init(
                    address=address or "local",
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **({} if address else local),
                )
        except Exception as error:  # Ray raises bare exceptions, such as for a start that times out
            place, hint = "--runner ray", "try again when the machine is less busy, or leave out --runner ray"
            if address:
                place, hint = f"--address {address}", "start one with `ray start --head`"
            what = f"cannot {'join' if address else 'start'} a Ray cluster: {_first_line(error)}"
            raise UsageError(Problem(what, place, hint)) from error
        self._task = ray.remote(num_cpus=1, max_retries=0)(run_on_worker)
        self._work, self._here = str(work.resolve()), str(Path.cwd())

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Start a cell; the future holds its result or raises `CellFailed`."""
        answer: Future[dict[str, Any]] = Future()
        reply = self._task.remote(with_absolute_place(order), self._work, self._here).future()
        reply.add_done_callback(lambda done: _forward(done, answer, order["name"]))
        return answer

    def close(self) -> None:
        """Cancel all pending cells and disconnect from the cluster."""
        self._ray.shutdown()
        self._folder.cleanup()


def _forward(done: Future[dict[str, Any]], answer: Future[dict[str, Any]], name: str) -> None:
    """Set the result or the `CellFailed` of a task."""
    try:
        reply = done.result()
    except Exception as error:
        settle_lost(answer, f"its Ray worker died: {type(error).__name__}", name)
        return
    settle(answer, reply)


def _configure(*, joins: bool) -> None:
    """Disable Ray's logging and usage statistics, unless the environment sets them.

    A local cluster listens on the loopback interface and requires a random token, since any client that
    connects can run code.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if not joins:
        # Its only switch for loopback, named after the systems where 0 is the default.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if not joins and "RAY_AUTH_MODE" not in os.environ:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


def _check_reachable(address: str | None) -> None:
    """Fail at once if no server answers at the address; Ray would retry for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
