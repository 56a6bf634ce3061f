"""Readers of untrusted bytes under a coverage-guided fuzzer, and on everything that it ever found."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .fuzz import CORPUS, READERS, seeds

RUNS = int(os.environ.get("ZOO_STRESS_RUNS", "0"))
"""Inputs that each reader is given by the fuzzer; in ordinary test runs the stored inputs alone are read."""


@pytest.mark.parametrize("reader", READERS)
def test_seeds_and_findings_are_read_or_rejected(reader: str) -> None:
    findings = [path.read_bytes() for path in sorted((CORPUS / reader).glob("*"))]
    for content in [*seeds(reader), *findings]:
        READERS[reader](content)


@pytest.mark.skipif(not RUNS, reason="ZOO_STRESS_RUNS sets the number of inputs; `make stress` does")
@pytest.mark.parametrize("reader", READERS)
def test_the_fuzzer_finds_nothing(reader: str, tmp_path: Path) -> None:
    assert importlib.util.find_spec("atheris"), "pip install atheris"
    script = CORPUS.parent / "fuzz.py"
    command = [sys.executable, script, reader, tmp_path, f"-runs={RUNS}", "-seed=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {RUNS} runs" in done.stderr
