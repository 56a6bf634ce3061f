"""The driver: finds what a study still lacks, has it done, and keeps each result as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.local import CellFailed
from zoo.bench.reading import READING, Reading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.bench.subjects import floor_cells, subjects
from zoo.errors import Problem, UsageError
from zoo.registry import Registry

TRIES = 2
"""How often a cell is begun that is killed from outside."""


class Runner(Protocol):
    """Whoever does cells: this machine or many."""

    def submit(self, order: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """The result of a cell, some day; its exception is `CellFailed`."""

    def close(self) -> None:
        """Wait for nothing more."""


@dataclass(frozen=True)
class Music:
    """Music as it is found here.

    Attributes:
        place: the name or path to open.
        digest: of what is there.
        planes: what it knows of its notes.
    """

    place: str
    digest: str
    planes: frozenset[str]

    def is_of(self, result: Mapping[str, Any]) -> bool:
        """Whether a result is of this music, read as it is read now."""
        found = Reading.of(result)
        return (found.digest, found.number) == (self.digest, READING)


@dataclass
class Standing:
    """Where a run of a study stands.

    Attributes:
        needed: how many cells the study needs; fewer as soon as a part turns out to learn nothing.
        done: of these, the finished.
        ran: of these, those that this run did.
        outdated: results that are there, but of other music or an earlier reading; they are replaced.
        failed: what went wrong, by the name of the cell.
    """

    needed: int = 0
    done: int = 0
    ran: int = 0
    outdated: set[str] = field(default_factory=set)
    failed: dict[str, Sequence[Problem]] = field(default_factory=dict)


Listen = Callable[[Standing, Cell | FloorsCell | None], None]
"""Told where the run stands, and the cell that just ended, if one did."""


class Driver:
    """Does what a study lacks. It remembers nothing: what is done is what lies in the results.

    Results of other music under the same name, and those of an earlier reading of it, took hours to make, so
    they are replaced only where that is asked for.

    Args:
        study: what is compared.
        results: where results are kept.
        runner: who does the work.
        music: by its name, where it is found and what is there.
        registry: where parts are looked up.
        listen: told after each cell.
        anew: whether results of other music, or of an earlier reading of it, are replaced.
    """

    def __init__(
        self,
        study: Study,
        results: Results,
        runner: Runner,
        music: Mapping[str, Music],
        registry: Registry,
        listen: Listen | None = None,
        *,
        anew: bool = False,
    ) -> None:
        self._study, self._results, self._runner = study, results, runner
        self._music, self._listen, self._anew = music, listen, anew
        self._floors = floor_cells(study)
        self._subjects = [one for one in subjects(study, registry) if one.is_of(music[one.data].planes)]
        self._pending: dict[Future[dict[str, Any]], Cell | FloorsCell] = {}
        self._tries: dict[str, int] = {}
        self._standing = Standing()

    def run(self) -> Standing:
        """Do everything that is missing; a cell that fails is left out, and the others go on.

        Raises:
            UsageError: results are of other music, or of an earlier reading of it, and may not be replaced;
                or an encoder cannot read some music. Nothing is done then.
            ZooError: a result is damaged, or cannot be kept.
        """
        try:
            self._refuse_unreadable()
            if not self._anew:
                self._refuse_other_music()
            self._order_missing()
            self._tell(None)
            while self._pending:
                finished, _ = wait(self._pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    cell = self._pending.pop(future)
                    self._take(cell, future)
                    self._order_missing()
                    self._tell(cell)
        finally:
            self._runner.close()
        return self._standing

    def _refuse_unreadable(self) -> None:
        what = "this music does not say which keys are pressed, and an encoder of the study asks for them"
        cure = 'compare encoders of sounding keys on it alone (encoder = "sounding")'
        blind = [one.data for one in self._floors if one.plane not in self._music[one.data].planes]
        if blind:
            raise UsageError(*(Problem(what, name, cure) for name in blind))

    def _refuse_other_music(self) -> None:
        found: dict[str, list[Reading]] = {name: [] for name in self._music}
        for cell in self._possible():
            result = self._results.read(cell)
            if result is not None and not self._music[cell.data].is_of(result):
                found[cell.data].append(Reading.of(result))
        cure = "--results ELSEWHERE keeps both, --anew does these again in place"
        problems = [
            Problem(_told(others, self._music[name]), str(self._results.folder_of(name)), cure)
            for name, others in found.items()
            if others
        ]
        if problems:
            raise UsageError(*problems)

    def _possible(self) -> Iterator[Cell | FloorsCell]:
        """The cells whose results this run may come to read or write, each once."""
        yield from self._floors
        for subject in self._subjects:
            trials, choice = subject.trials(self._study), subject.choice(self._study, self._results)
            cells = choice.cells if choice else subject.every(self._study)
            first = self._results.read(trials[0])
            tried = trials if first is None or first["learns"] else []
            yield from {cell.name: cell for cell in (*tried, *cells)}.values()

    def _wanted(self) -> Iterator[Cell | FloorsCell]:
        """The cells that are known to be needed, given what is done."""
        yield from self._floors
        for subject in self._subjects:
            trials = subject.trials(self._study)
            yield trials[0]
            if self._learns(trials[0]):
                yield from trials[1:]
                if all(self._is_done(cell) for cell in trials):
                    choice = subject.choice(self._study, self._results)
                    tried = {cell.name for cell in trials}
                    yield from (cell for cell in choice.cells if cell.name not in tried) if choice else ()

    def _needed(self) -> int:
        """How many cells that will be, once all is known."""
        trials = [subject.trials(self._study) for subject in self._subjects]
        seeds, rates = self._study.settings.seeds, len(self._study.rates)
        trained = (
            1 if self._learns(each[0]) is False else len(each) + seeds - len(each) // rates for each in trials
        )
        return len(self._floors) + sum(trained)

    def _learns(self, cell: Cell) -> bool | None:
        """Whether its part learns by gradient; None until it was tried."""
        result = self._results.read(cell) if self._is_done(cell) else None
        return None if result is None else bool(result["learns"])

    def _is_done(self, cell: Cell | FloorsCell) -> bool:
        """Whether there is a result, and of the music that is there now, read as it is now."""
        result = self._results.read(cell)
        if result is not None and not self._music[cell.data].is_of(result):
            self._standing.outdated.add(cell.name)
            return False
        return result is not None

    def _order_missing(self) -> None:
        ordered = {cell.name for cell in self._pending.values()}
        standing = self._standing
        standing.needed, standing.done = self._needed(), 0
        for cell in self._wanted():
            if self._is_done(cell):
                standing.done += 1
            elif cell.name not in ordered and cell.name not in standing.failed:
                self._pending[self._runner.submit(cell.order(self._music[cell.data].place))] = cell

    def _take(self, cell: Cell | FloorsCell, future: Future[dict[str, Any]]) -> None:
        """Keep the result of a cell, or what went wrong unless it is worth another try."""
        try:
            result = future.result()
        except CellFailed as error:
            self._tries[cell.name] = self._tries.get(cell.name, 0) + 1
            if not error.killed or self._tries[cell.name] >= TRIES:
                self._standing.failed[cell.name] = [_in_words(cell, problem) for problem in error.problems]
            return
        if not self._music[cell.data].is_of(result):
            self._standing.failed[cell.name] = [_elsewhere(cell, Reading.of(result))]
            return
        self._results.write(cell, result)
        self._standing.ran += 1

    def _tell(self, ended: Cell | FloorsCell | None) -> None:
        if self._listen is not None:
            self._listen(self._standing, ended)


def _told(others: Sequence[Reading], music: Music) -> str:
    """Which results are there that are not of the music as it is read now."""
    count = "a result here is" if len(others) == 1 else f"{len(others)} results here are"
    those = ", ".join(sorted({one.digest[:12] for one in others}))
    if any(one.is_earlier for one in others):
        return f"{count} of an earlier reading ({those}) of what is now {music.digest[:12]} in {music.place}"
    return f"{count} of other music ({those}) than {music.place} ({music.digest[:12]})"


def _elsewhere(cell: Cell | FloorsCell, found: Reading) -> Problem:
    """What is wrong with a result that another machine sent back."""
    if found.number != READING:
        what = f"music was read otherwise there (reading {found.number}) than here (reading {READING})"
        return Problem(what, cell.title, "install the same version of the zoo wherever cells are done")
    what = f"the {cell.data} there is not the {cell.data} that lies here"
    cure = "let the same music lie wherever cells are done, and leave it alone meanwhile"
    return Problem(what, cell.title, cure)


def _in_words(cell: Cell | FloorsCell, problem: Problem) -> Problem:
    """A problem of a cell that calls it by its title; a path that holds its name stays a path."""
    head = problem.where.removesuffix(cell.name)
    is_named = head != problem.where and (not head or head.endswith(" in "))
    return replace(problem, where=head + cell.title) if is_named else problem
