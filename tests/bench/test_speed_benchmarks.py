"""The speed benchmarks run, without timing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_speed_benchmark_runs_once() -> None:
    # In a new process, because pytest-benchmark times nothing if this one runs tests in parallel.
    words = ["-m", "pytest", "benchmarks/speed", "-q", "-p", "no:cacheprovider", "--benchmark-disable"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
