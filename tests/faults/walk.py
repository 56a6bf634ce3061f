"""A command with a fault at one of its write operations, and what must hold afterwards."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .commands import TINY, Writer, content, furnish

SOURCE = Path(__file__).with_name("inject.c")
FAULTS: dict[str, tuple[int, bool]] = {
    "full": (errno.ENOSPC, True),
    "faulty": (errno.EIO, False),
    "read-only": (errno.EROFS, True),
    "killed": (0, False),
}
"""Name of a fault -> its errno, 0 to kill the process; and whether all later operations fail too."""
DOCUMENTED = {1, 2, 3, 4, 5, 6}
SHOWN = 2000


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: its exit code, negative if a signal killed it.
        err: what it printed on standard error.
        count: how many write operations there were.
    """

    code: int
    err: str
    count: int


class Server:
    """A process that has imported torch and runs commands in copies of itself; see server.py."""

    def __init__(self, library: Path, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        (folder / "counter").write_bytes(bytes(8))
        environment = os.environ | {
            "LD_PRELOAD": str(library),
            "OMP_NUM_THREADS": "1",
            "ZOO_PLUGINS": "",
            "PYTHONDONTWRITEBYTECODE": "1",
            "ZOO_CACHE": str(self.work / "cache"),
        }
        for name in ("ZOO_LOCAL", "ZOO_TRACE", "ZOO_STRICT"):
            environment.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(SOURCE.with_name("server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self._answer() == "ready"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def run(self, words: str, at: int = 0, code: int = 0, lasting: bool = False) -> Outcome:
        """Run a command; with `at`, a fault strikes at this write operation."""
        counter, log = self.folder / "counter", self.folder / "log"
        counter.write_bytes(bytes(8))
        log.write_bytes(b"")
        settings: Mapping[str, Any] = {
            "INJECT_FOLDER": self.work,
            "INJECT_COUNTER": counter,
            "INJECT_LOG": log,
            "INJECT_AT": at,
            "INJECT_CODE": code,
            "INJECT_LASTING": int(lasting),
        }
        request = {
            "words": words.split(),
            "folder": str(self.work),
            "out": str(self.folder / "out"),
            "err": str(self.folder / "err"),
            "environment": {name: str(value) for name, value in settings.items()},
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        ended = int(self._answer())
        err = (self.folder / "err").read_text(errors="replace")
        return Outcome(ended, err, int.from_bytes(counter.read_bytes(), sys.byteorder))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class Stage:
    """The folder in which a command runs, set up as before it."""

    def __init__(self, server: Server, writer: Writer) -> None:
        self.server, self.writer = server, writer
        self._before = server.folder / "before"
        self._set_up()
        self.old = content(self._before)
        self.set()
        outcome = server.run(writer.words)
        assert outcome.code == 0, outcome.err
        self.count = outcome.count
        self.operations = (server.folder / "log").read_text().splitlines()
        self.new = content(server.work)

    def _set_up(self) -> None:
        work, base = self.server.work, self.server.folder / "base"
        for folder in (work, self._before):
            shutil.rmtree(folder, ignore_errors=True)
        if not base.exists():
            furnish(work)
            self._prepare(f"build {TINY} -o bundle\ndata scan songs")
            work.rename(base)
        shutil.copytree(base, work)
        if not self.writer.warm:
            shutil.rmtree(work / "cache")
        self._prepare(self.writer.before)
        work.rename(self._before)

    def _prepare(self, commands: str) -> None:
        for words in commands.splitlines():
            outcome = self.server.run(words)
            assert outcome.code == 0, outcome.err

    def set(self) -> None:
        """Put everything back as it was before the command."""
        shutil.rmtree(self.server.work, ignore_errors=True)
        shutil.copytree(self._before, self.server.work)

    def strike(self, name: str, at: int) -> list[str]:
        """Run the command with a fault at an operation, and once more; what does not hold, in words."""
        code, lasting = FAULTS[name]
        self.set()
        outcome = self.server.run(self.writer.words, at, code, lasting)
        operation = self.operations[at - 1].replace(str(self.server.work), "") if at <= self.count else "?"
        removable = name in ("full", "faulty") and not operation.startswith(("unlink", "rmdir"))
        found = [*self._of_files(), *self._of_end(outcome, name), *(self._of_strays() if removable else [])]
        found += self._of_repetition()
        return [f"{self.writer.name}, {name} at {at} ({operation}): {what}" for what in found]

    def _of_files(self) -> Iterator[str]:
        """Former files that are neither as before nor as they should become."""
        present = content(self.server.work)
        for path, was in self.old.items():
            if path not in present and path in self.new:
                yield f"{path} is gone"
            elif path in present and present[path] not in (was, self.new.get(path)) and not grows(path):
                yield f"{path} is neither the old nor the new file"

    def _of_end(self, outcome: Outcome, name: str) -> Iterator[str]:
        """A wrong exit code or message."""
        err = outcome.err[-SHOWN:]
        if outcome.code < 0:
            if outcome.code != -signal.SIGKILL or name != "killed":
                yield f"ended by signal {-outcome.code}: {err}"
        elif outcome.code == 0:
            if difference := self._difference():
                yield f"exit code 0, but {difference} differ"
        elif outcome.code not in DOCUMENTED:
            yield f"exit code {outcome.code} is not documented"
        elif sum(line.startswith("error:") for line in err.splitlines()) != 1:
            yield f"not one error: {err}"
        if any(sign in err for sign in ("Traceback", "this is a bug", ".part")):
            yield f"an unexpected error, or an internal file: {err}"

    def _of_strays(self) -> Iterator[str]:
        """Temporary files that were left."""
        for path in self.server.work.rglob(".*.part"):
            yield f"{path.name} is left"

    def _of_repetition(self) -> Iterator[str]:
        """A repetition that fails or gives other files."""
        again = self.server.run(self.writer.words)
        difference = self._difference()
        # A command that replaces nothing says that its files are there, which is right if they are whole.
        if again.code and (again.code != 2 or "already" not in again.err or difference):
            yield f"the same command again ends with {again.code}: {again.err[-SHOWN:]}"
        elif difference:
            yield f"the same command again gives other files: {difference}"

    def _difference(self) -> list[str]:
        """The files that are not as they should become."""
        present = content(self.server.work)
        return sorted(
            path for path in present | self.new if present.get(path, "absent") != self.new.get(path, "absent")
        )


def grows(path: str) -> bool:
    """Whether a file is appended to."""
    return path.endswith(("metrics.jsonl", "tracker.csv"))
