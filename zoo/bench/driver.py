"""The driver: runs the cells of a study that have no result yet, and stores each result as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.local import CellFailed
from zoo.bench.needs import LocalDataset, Needs
from zoo.bench.reading import READING, MusicReading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.errors import Problem, UsageError
from zoo.registry import Registry

TRIES = 2
"""Maximum number of times that a cell is started if its process is killed each time."""


class Runner(Protocol):
    """Runs cells, on this machine or on many."""

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Start a cell; the future holds its result or raises `CellFailed`."""

    def close(self) -> None:
        """Cancel all pending cells."""


@dataclass
class StudyProgress:
    """Progress of a run of a study.

    Attributes:
        needed: number of cells that the study needs; it falls when a part turns out to learn nothing.
        done: number of these cells that have a result.
        ran: number of these cells that this run completed.
        outdated: names of cells whose stored results are of other music or an earlier reading; they are
            replaced.
        failed: name of a cell -> what went wrong.
    """

    needed: int = 0
    done: int = 0
    ran: int = 0
    outdated: set[str] = field(default_factory=set)
    failed: dict[str, Sequence[Problem]] = field(default_factory=dict)


Listen = Callable[[StudyProgress, Cell | FloorsCell | None], None]
"""Called with the progress of the run and the cell that just ended, or None at the start."""


class Driver:
    """Runs the cells of a study that have no result. Its only state is the stored results.

    Results of other music under the same name, or of an earlier reading of it, took hours to compute. They
    are replaced only on request.

    Args:
        study: the study to run.
        results: the store of results.
        runner: where cells run.
        datasets: name of each dataset of the study -> the dataset on this machine.
        registry: where parts are looked up.
        listen: called at the start and after each cell.
        replace_outdated: whether to replace results of other music or of an earlier reading of it.
    """

    def __init__(
        self,
        study: Study,
        results: Results,
        runner: Runner,
        datasets: Mapping[str, LocalDataset],
        registry: Registry,
        listen: Listen | None = None,
        *,
        replace_outdated: bool = False,
    ) -> None:
        self._results, self._runner = results, runner
        self._datasets, self._listen, self._replace_outdated = datasets, listen, replace_outdated
        self._needs = Needs(study, results, datasets, registry)
        self._pending: dict[Future[dict[str, Any]], Cell | FloorsCell] = {}
        self._tries: dict[str, int] = {}
        self._progress = StudyProgress(outdated=self._needs.outdated)

    def run(self) -> StudyProgress:
        """Run all missing cells. A cell that fails does not stop the others.

        Raises:
            UsageError: results are of other music, or of an earlier reading of it, and must not be replaced;
                an encoder cannot read one of the datasets, or one has no validation pieces to choose
                a learning rate by. No cell has run then.
            ZooError: a result is damaged or cannot be written.
        """
        try:
            self._needs.refuse_unsuitable()
            if not self._replace_outdated:
                self._refuse_other_music()
            self._submit_missing()
            self._report(None)
            while self._pending:
                finished, _ = wait(self._pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    cell = self._pending.pop(future)
                    self._collect(cell, future)
                    # A new result can show that more cells are needed, such as the seeds at the chosen rate.
                    self._submit_missing()
                    self._report(cell)
        finally:
            self._runner.close()
        return self._progress

    def _refuse_other_music(self) -> None:
        outdated: dict[str, list[MusicReading]] = {name: [] for name in self._datasets}
        for cell in self._needs.possible():
            result = self._results.read(cell)
            if result is not None and not self._datasets[cell.data].has_produced(result):
                outdated[cell.data].append(MusicReading.of(result))
        hint = "use --results ELSEWHERE to keep both, or --replace to compute them again"
        problems = [
            Problem(_describe(readings, self._datasets[name]), str(self._results.folder_of(name)), hint)
            for name, readings in outdated.items()
            if readings
        ]
        if problems:
            raise UsageError(*problems)

    def _submit_missing(self) -> None:
        submitted = {cell.name for cell in self._pending.values()}
        progress = self._progress
        progress.needed, progress.done = self._needs.count(), 0
        for cell in self._needs.known():
            if self._needs.is_done(cell):
                progress.done += 1
            elif cell.name not in submitted and cell.name not in progress.failed:
                music = self._datasets[cell.data]
                self._pending[self._runner.submit(cell.order(music.place, music.digest))] = cell

    def _collect(self, cell: Cell | FloorsCell, future: Future[dict[str, Any]]) -> None:
        """Store the result of a cell, or record its failure unless it is tried again."""
        try:
            result = future.result()
        except CellFailed as error:
            self._tries[cell.name] = self._tries.get(cell.name, 0) + 1
            if not error.killed or self._tries[cell.name] >= TRIES:
                self._progress.failed[cell.name] = [_with_title(cell, problem) for problem in error.problems]
            return
        if not self._datasets[cell.data].has_produced(result):
            self._progress.failed[cell.name] = [_other_music(cell, MusicReading.of(result))]
            return
        self._results.write(cell, result)
        self._progress.ran += 1

    def _report(self, ended: Cell | FloorsCell | None) -> None:
        if self._listen is not None:
            self._listen(self._progress, ended)


def _describe(readings: Sequence[MusicReading], dataset: LocalDataset) -> str:
    """The stored results that are not of the music as it is read now."""
    count = "a result here is" if len(readings) == 1 else f"{len(readings)} results here are"
    digests = ", ".join(sorted({reading.digest[:12] for reading in readings}))
    if any(reading.is_earlier for reading in readings):
        return f"{count} of an earlier reading ({digests}) of {dataset.place}, now {dataset.digest[:12]}"
    return f"{count} of other music ({digests}) than {dataset.place} ({dataset.digest[:12]})"


def _other_music(cell: Cell | FloorsCell, reading: MusicReading) -> Problem:
    """The problem of a result that a worker computed on other music."""
    if reading.number != READING:
        what = f"the worker reads music differently (reading {reading.number}, here {READING})"
        return Problem(what, cell.title, "install the same version of polyzoo on all machines")
    what = f"the worker's {cell.data} is not the same music as {cell.data} here"
    hint = "put the same files on all machines, and do not change them during a run"
    return Problem(what, cell.title, hint)


def _with_title(cell: Cell | FloorsCell, problem: Problem) -> Problem:
    """The problem with the cell's name replaced by its title, unless the name is part of a path."""
    head = problem.where.removesuffix(cell.name)
    is_named = head != problem.where and (not head or head.endswith(" in "))
    return replace(problem, where=head + cell.title) if is_named else problem
