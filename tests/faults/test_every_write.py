"""A fault at every write operation of every command that writes, as SQLite tests its own.

A library that is loaded before all others counts the operations: open for writing, write, fsync, rename,
link, unlink, mkdir. Each is tested with a full disk, a fault that happens once, a disk that becomes
read-only, and a kill in the middle.
"""

from __future__ import annotations

import os
import random

import pytest

from .commands import WRITERS, Writer
from .walk import FAULTS, Server, Stage

FULL = os.environ.get("ZOO_STRESS_FAULTS") == "full"
SAMPLE = 2


@pytest.fixture
def stage(server: Server, writer: Writer) -> Stage:
    return Stage(server, writer)


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.name)
def test_a_fault_at_any_write_leaves_whole_files_and_the_same_command_succeeds_later(
    stage: Stage, writer: Writer
) -> None:
    """A sample, or with ZOO_STRESS_FAULTS=full all operations with all faults."""
    assert stage.count >= writer.least, "files are written by functions that are not intercepted"
    strikes = [(name, at) for name in FAULTS for at in range(1, stage.count + 1)]
    if not FULL:
        strikes = random.Random(writer.name).sample(strikes, SAMPLE)
    assert [line for name, at in strikes for line in stage.strike(name, at)] == []
