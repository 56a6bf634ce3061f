"""Studies on Ray: on a local cluster and on one at an address."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import stored_results

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

Write = Callable[..., Path]
Bench = Callable[..., "subprocess.Popen[str]"]
HEAD = 'data = "tunes"\nseeds = 1'
GRID = 'attention = "none local=4 features=5"\nsampler = "independent"\ndecoder = "uniform"'


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home directory and a folder for Ray, removed afterwards; sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        monkeypatch.setenv("HOME", folder)
        yield


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]


@pytest.fixture
def address(quiet: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A cluster on this machine, stopped at the end of the test."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    # Ray waits for agents without fixed ports, which takes too long on a busy machine.
    names = ("port", "metrics-export-port", "dashboard-agent-grpc-port", "dashboard-agent-listen-port",
             "runtime-env-agent-port")  # fmt: skip
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2"]
    command += ["--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats"]
    command += [f"--{name}={port}" for name, port in ports.items()]
    log = Path(os.environ["RAY_TMPDIR"]) / "head.log"
    with log.open("w") as stream:
        head = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        end = time.monotonic() + 180
        while "Ray runtime started" not in log.read_text():
            if head.poll() is not None or time.monotonic() > end:
                pytest.skip(f"this machine starts no Ray: {log.read_text()[-300:]}")
            time.sleep(0.1)
        yield f"127.0.0.1:{ports['port']}"
    finally:
        head.terminate()
        with suppress(subprocess.TimeoutExpired):
            head.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(head.pid, signal.SIGKILL)
        head.wait()


def results(study: Path) -> dict[str, dict[str, Any]]:
    """The stored results, without the number of threads."""
    contents = stored_results(study)
    for content in contents.values():
        content["made"].pop("machine")
    return contents


def ended(process: subprocess.Popen[str]) -> str:
    """The standard error of a process that succeeded."""
    _, err = process.communicate(timeout=500)
    if "timed out during startup" in err:
        pytest.skip("this machine is too busy to start Ray")
    assert process.returncode == 0, err
    return err


def test_local_cluster_gives_the_same_results_silently_and_in_isolation(
    write: Write, bench: Bench, quiet: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write(HEAD, GRID).rename(folder / "study.toml")
    ended(bench(here / "study.toml", "--jobs", "1"))
    monkeypatch.chdir(there)
    for name in ("queue", "secrets", "socket", "filelock"):
        Path(f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write('{name} ')")
    err = ended(bench(there / "study.toml", "--runner", "ray", "--jobs", "2"))
    assert results(there / "study.toml") == results(here / "study.toml")
    assert not (tmp_path / "imported").exists()
    assert not list(Path(os.environ["RAY_TMPDIR"]).iterdir()), "sockets and logs are removed"
    assert "ray" not in err.lower().replace(str(tmp_path), "")
    assert "note:" not in err
    assert "warning" not in err.lower()
    assert not (Path(os.environ["HOME"]) / ".ray").exists()


def test_cluster_at_an_address_retries_killed_workers(
    write: Write, bench: Bench, address: str, tmp_path: Path
) -> None:
    study = write(HEAD, GRID, "steps = 300")
    driver = bench(study, "--runner", "ray", "--address", address)
    killed = False
    while not killed and driver.poll() is None:
        for path in tmp_path.glob("runs/core-*/holder.json"):
            with suppress(OSError, ValueError):
                os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)
                killed = True
        time.sleep(0.01)
    err = ended(driver)
    assert f"note: {address}: every user of this cluster can run code on its machines" in err
    assert killed
    assert len(results(study)) == 3


def test_address_without_a_cluster_is_an_error(write: Write, bench: Bench, quiet: None) -> None:
    study = write(HEAD, GRID)
    (port,) = free_ports(1)
    driver = bench(study, "--runner", "ray", "--address", f"127.0.0.1:{port}")
    _, err = driver.communicate(timeout=300)
    assert driver.returncode == 2
    assert "cannot join a Ray cluster" in err
    assert "ray start --head" in err
    assert "Traceback" not in err


LISTENING = """
import os, sys
from pathlib import Path
from zoo.bench.on_ray import RayRunner
from zoo.errors import ZooError
try:
    runner = RayRunner(Path(sys.argv[1]), 1)
except ZooError as error:
    sys.exit(str(error))
sockets = set()
for process in Path("/proc").glob("[0-9]*"):
    try:
        if os.getsid(int(process.name)) == os.getsid(0):
            sockets |= {os.readlink(link) for link in (process / "fd").iterdir()}
    except OSError:
        continue
lines = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}")]
print(*(line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets))
runner.close()
"""


def test_own_cluster_listens_on_the_loopback_interface_only(quiet: None, tmp_path: Path) -> None:
    command = [sys.executable, "-c", LISTENING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    if "timed out during startup" in done.stderr:
        pytest.skip("this machine is too busy to start Ray")
    assert done.returncode == 0, done.stderr
    addresses = {listening.partition(":")[0] for listening in done.stdout.split()}
    assert addresses
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.mark.parametrize("joins", [True, False])
def test_what_the_user_set_about_ray_is_kept(joins: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.bench.on_ray import _configure

    for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "theirs")
    _configure(joins=joins)
    assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == os.environ["RAY_AUTH_MODE"] == "theirs"
