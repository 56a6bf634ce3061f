"""The library that injects faults, compiled once, and the server that runs commands with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .walk import SOURCE, Server


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """inject.c, compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("faults are injected on Linux with a C compiler; test_write_faults.py needs neither")
    path = tmp_path_factory.mktemp("inject") / "inject.so"
    command = [compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", path, SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="session")
def server(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Runs commands with faults."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("music21")
    server = Server(library, tmp_path_factory.mktemp("faults"))
    yield server
    server.close()
