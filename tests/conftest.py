"""Fixtures of all tests: one thread for torch, the folder of reference data, a random number generator."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Small tensors on few cores: more threads only wait for each other. Set before anything imports torch,
# and inherited by the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
# pytest-xdist passes the width of the terminal to its workers; commands would wrap their lines at it.
os.environ.pop("COLUMNS", None)


@pytest.fixture(autouse=True)
def as_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands print as in a pipe, whatever the width of the terminal in which `make test` runs."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def rng() -> Any:
    """A torch generator with a fixed seed."""
    import torch

    return torch.Generator().manual_seed(1)


@pytest.fixture(scope="session")
def resident() -> Callable[[], int]:
    """A function that measures the resident memory of this process in bytes."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("resident memory is only available on Linux")
    return lambda: int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data next to the repository; tests that use it are skipped without it."""
    named = os.environ.get("ZOO_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; ZOO_SHARED names another place")
    return folder
