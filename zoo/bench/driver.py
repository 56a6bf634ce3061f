"""The driver: runs the cells of a study that have no result yet, and stores each result as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.components import components, floor_cells
from zoo.bench.local import CellFailed
from zoo.bench.reading import READING, Reading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.errors import Problem, UsageError
from zoo.registry import Registry

TRIES = 2
"""How many times a cell is started if its process keeps being killed."""


class Runner(Protocol):
    """Runs cells, on this machine or on many."""

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Start a cell; the future holds its result or raises `CellFailed`."""

    def close(self) -> None:
        """Cancel all pending cells."""


@dataclass(frozen=True)
class LocalDataset:
    """A dataset on this machine.

    Attributes:
        place: the name or path to open.
        digest: digest of its content.
        planes: the planes that it has.
    """

    place: str
    digest: str
    planes: frozenset[str]

    def has_produced(self, result: Mapping[str, Any]) -> bool:
        """Whether a result was measured on this music in its current reading."""
        reading = Reading.of(result)
        return (reading.digest, reading.number) == (self.digest, READING)


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
        self._study, self._results, self._runner = study, results, runner
        self._datasets, self._listen, self._replace_outdated = datasets, listen, replace_outdated
        self._floors = floor_cells(study)
        self._components = [
            component
            for component in components(study, registry)
            if component.suits(datasets[component.data].planes)
        ]
        self._pending: dict[Future[dict[str, Any]], Cell | FloorsCell] = {}
        self._tries: dict[str, int] = {}
        self._progress = StudyProgress()

    def run(self) -> StudyProgress:
        """Run all missing cells. A cell that fails does not stop the others.

        Raises:
            UsageError: results are of other music, or of an earlier reading of it, and must not be replaced;
                or an encoder cannot read one of the datasets. No cell has run then.
            ZooError: a result is damaged or cannot be written.
        """
        try:
            self._refuse_unreadable()
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

    def _refuse_unreadable(self) -> None:
        what = "this music has no onsets, which an encoder of the study needs"
        hint = 'compare only encoders of sounding keys on it (encoder = "sounding")'
        unreadable = [
            cell.data for cell in self._floors if cell.plane not in self._datasets[cell.data].planes
        ]
        if unreadable:
            raise UsageError(*(Problem(what, name, hint) for name in unreadable))

    def _refuse_other_music(self) -> None:
        outdated: dict[str, list[Reading]] = {name: [] for name in self._datasets}
        for cell in self._possible():
            result = self._results.read(cell)
            if result is not None and not self._datasets[cell.data].has_produced(result):
                outdated[cell.data].append(Reading.of(result))
        hint = "use --results ELSEWHERE to keep both, or --replace to compute them again"
        problems = [
            Problem(_describe(readings, self._datasets[name]), str(self._results.folder_of(name)), hint)
            for name, readings in outdated.items()
            if readings
        ]
        if problems:
            raise UsageError(*problems)

    def _possible(self) -> Iterator[Cell | FloorsCell]:
        """The cells whose results this run may read or write, each once."""
        yield from self._floors
        for component in self._components:
            trials, selection = component.trials(self._study), component.selection(self._study, self._results)
            # As long as the rate is open, any of them may turn out to be needed.
            cells = selection.cells if selection else component.every(self._study)
            first = self._results.read(trials[0])
            needed_trials = trials if first is None or first["learns"] else []
            yield from {cell.name: cell for cell in (*needed_trials, *cells)}.values()

    def _wanted(self) -> Iterator[Cell | FloorsCell]:
        """The cells that are known to be needed, given the results so far.

        The first trial of a component shows whether it learns at all; the trials together choose its learning
        rate; only then are the remaining seeds known.
        """
        yield from self._floors
        for component in self._components:
            trials = component.trials(self._study)
            yield trials[0]
            if self._learns(trials[0]):
                yield from trials[1:]
                if all(self._is_done(cell) for cell in trials):
                    selection = component.selection(self._study, self._results)
                    tried = {cell.name for cell in trials}
                    cells = selection.cells if selection else ()
                    yield from (cell for cell in cells if cell.name not in tried)

    def _needed(self) -> int:
        """How many cells the study will need in all."""
        count, seeds, rates = len(self._floors), self._study.settings.seeds, len(self._study.rates)
        for component in self._components:
            trials = component.trials(self._study)
            # At the chosen rate, the trials have already run some of the seeds.
            remaining_seeds = seeds - len(trials) // rates
            count += 1 if self._learns(trials[0]) is False else len(trials) + remaining_seeds
        return count

    def _learns(self, cell: Cell) -> bool | None:
        """Whether its part learns by gradient; None without a result."""
        result = self._results.read(cell) if self._is_done(cell) else None
        return None if result is None else bool(result["learns"])

    def _is_done(self, cell: Cell | FloorsCell) -> bool:
        """Whether there is a result on the music as it is now, in its current reading."""
        result = self._results.read(cell)
        if result is not None and not self._datasets[cell.data].has_produced(result):
            self._progress.outdated.add(cell.name)
            return False
        return result is not None

    def _submit_missing(self) -> None:
        submitted = {cell.name for cell in self._pending.values()}
        progress = self._progress
        progress.needed, progress.done = self._needed(), 0
        for cell in self._wanted():
            if self._is_done(cell):
                progress.done += 1
            elif cell.name not in submitted and cell.name not in progress.failed:
                self._pending[self._runner.submit(cell.order(self._datasets[cell.data].place))] = cell

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
            self._progress.failed[cell.name] = [_other_music(cell, Reading.of(result))]
            return
        self._results.write(cell, result)
        self._progress.ran += 1

    def _report(self, ended: Cell | FloorsCell | None) -> None:
        if self._listen is not None:
            self._listen(self._progress, ended)


def _describe(readings: Sequence[Reading], dataset: LocalDataset) -> str:
    """The stored results that are not of the music as it is read now."""
    count = "a result here is" if len(readings) == 1 else f"{len(readings)} results here are"
    digests = ", ".join(sorted({reading.digest[:12] for reading in readings}))
    if any(reading.is_earlier for reading in readings):
        return f"{count} of an earlier reading ({digests}) of {dataset.place}, now {dataset.digest[:12]}"
    return f"{count} of other music ({digests}) than {dataset.place} ({dataset.digest[:12]})"


def _other_music(cell: Cell | FloorsCell, reading: Reading) -> Problem:
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
