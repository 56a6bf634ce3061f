"""What all tests share: one thread for torch, and where reference data may lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Small tensors on few cores: more threads only wait for each other. Set before anything imports torch,
# and inherited by the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
# Workers of pytest-xdist are told of a window, in which commands would break their lines.
os.environ.pop("COLUMNS", None)


@pytest.fixture(autouse=True)
def as_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands print does not hang on the window that the tests are run in, which make tells of."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def resident() -> Callable[[], int]:
    """A function that measures the resident memory of this process in bytes."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("resident memory is only available on Linux")
    return lambda: int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; a test that asks for it skips without."""
    named = os.environ.get("ZOO_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; ZOO_SHARED names another place")
    return folder
