"""The driver: finds what a study still lacks, has it done, and keeps each result as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.local import CellFailed
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


@dataclass
class Standing:
    """Where a run of a study stands.

    Attributes:
        needed: how many cells the study needs; fewer as soon as a part turns out to learn nothing.
        done: of these, the finished.
        ran: of these, those that this run did.
        outdated: results that are there, but of other music; they are done anew in their place.
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

    Results of other music under the same name are hours of somebody's work, so nobody loses them unasked.

    Args:
        study: what is compared.
        results: where results are kept.
        runner: who does the work.
        music: by its name, where it is found and what is there.
        registry: where parts are looked up.
        listen: told after each cell.
        anew: whether results of other music are done anew in their place.
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
            UsageError: results are of other music and are not to be done anew, or an encoder cannot read some
                music; nothing is done then.
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
        found = [(cell.data, self._results.read(cell)) for cell in self._possible()]
        problems = []
        for name, music in self._music.items():
            digests = [one["data"]["digest"] for data, one in found if one and data == name]
            others = [digest[:12] for digest in digests if digest != music.digest]
            if others:
                count = "a result here is" if len(others) == 1 else f"{len(others)} results here are"
                those = ", ".join(sorted(set(others)))
                what = f"{count} of other music ({those}) than {music.place} ({music.digest[:12]})"
                cure = "--results ELSEWHERE keeps both, --anew does these again in place"
                problems.append(Problem(what, str(self._results.folder_of(name)), cure))
        if problems:
            raise UsageError(*problems)

    def _possible(self) -> Iterator[Cell | FloorsCell]:
        """The cells whose results this run may come to read or write, each once."""
        yield from self._floors
        for subject in self._subjects:
            chosen = subject.chosen(self._study, self._results) or subject.every(self._study)
            yield from {cell.name: cell for cell in (*subject.trials(self._study), *chosen)}.values()

    def _wanted(self) -> Iterator[Cell | FloorsCell]:
        """The cells that are known to be needed, given what is done."""
        yield from self._floors
        for subject in self._subjects:
            first, *others = subject.trials(self._study)
            yield first
            if self._learns(first):
                yield from others
                if all(self._is_done(cell) for cell in (first, *others)):
                    chosen = subject.chosen(self._study, self._results) or []
                    yield from (cell for cell in chosen if cell.seed > 0)

    def _needed(self) -> int:
        """How many cells that will be, once all is known."""
        rates, seeds = len(self._study.rates), self._study.settings.seeds
        trials = (subject.trials(self._study)[0] for subject in self._subjects)
        trained = (1 if self._learns(first) is False else rates + seeds - 1 for first in trials)
        return len(self._floors) + sum(trained)

    def _learns(self, cell: Cell) -> bool | None:
        """Whether its part learns by gradient; None while nobody has tried."""
        result = self._results.read(cell) if self._is_done(cell) else None
        return None if result is None else bool(result["learns"])

    def _is_done(self, cell: Cell | FloorsCell) -> bool:
        """Whether there is a result, and of the music that is there now."""
        result = self._results.read(cell)
        if result is not None and result["data"]["digest"] != self._music[cell.data].digest:
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
        if result["data"]["digest"] != self._music[cell.data].digest:
            what = f"the {cell.data} there is not the {cell.data} that lies here"
            cure = "let the same music lie wherever cells are done, and leave it alone meanwhile"
            self._standing.failed[cell.name] = [Problem(what, cell.title, cure)]
            return
        self._results.write(cell, result)
        self._standing.ran += 1

    def _tell(self, ended: Cell | FloorsCell | None) -> None:
        if self._listen is not None:
            self._listen(self._standing, ended)


def _in_words(cell: Cell | FloorsCell, problem: Problem) -> Problem:
    """A problem of a cell that calls it by its title; a path that holds its name stays a path."""
    head = problem.where.removesuffix(cell.name)
    is_named = head != problem.where and (not head or head.endswith(" in "))
    return replace(problem, where=head + cell.title) if is_named else problem
