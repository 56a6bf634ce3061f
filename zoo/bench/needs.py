"""Needs: which cells a study needs, given the results so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.bench.cell import Cell, FloorsCell
from zoo.bench.components import Component, components, floor_cells
from zoo.bench.reading import READING, MusicReading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.errors import Problem, UsageError
from zoo.registry import Registry


@dataclass(frozen=True)
class LocalDataset:
    """A dataset on this machine.

    Attributes:
        place: the name or path to open.
        digest: digest of its content.
        planes: the planes that it has.
        validation_pieces: the number of its validation pieces.
    """

    place: str
    digest: str
    planes: frozenset[str]
    validation_pieces: int

    def has_produced(self, result: Mapping[str, Any]) -> bool:
        """Whether a result was measured on this music in its current reading."""
        reading = MusicReading.of(result)
        return (reading.digest, reading.number) == (self.digest, READING)


class Needs:
    """The cells that a study needs.

    Args:
        study: the study.
        results: the store of results.
        datasets: name of each dataset of the study -> the dataset on this machine.
        registry: where parts are looked up.

    Attributes:
        outdated: names of cells whose stored results turned out to be of other music or an earlier reading.
    """

    def __init__(
        self, study: Study, results: Results, datasets: Mapping[str, LocalDataset], registry: Registry
    ) -> None:
        self._study, self._results, self._datasets = study, results, datasets
        self.floors = floor_cells(study)
        self.components = [
            component
            for component in components(study, registry)
            if component.suits(datasets[component.data].planes)
        ]
        self.outdated: set[str] = set()

    def refuse_unsuitable(self) -> None:
        """Check that the encoders can read the datasets, and that learning rates can be compared on them.

        Raises:
            UsageError: a dataset lacks onsets, or validation pieces to choose a learning rate by.
        """
        problems = [*self._unreadable(), *self._without_validation()]
        if problems:
            raise UsageError(*problems)

    def _unreadable(self) -> Iterator[Problem]:
        what = "this music has no onsets, which an encoder of the study needs"
        hint = 'compare only encoders of sounding keys on it (encoder = "sounding")'
        unreadable = [cell.data for cell in self.floors if cell.plane not in self._datasets[cell.data].planes]
        yield from (Problem(what, name, hint) for name in unreadable)

    def _without_validation(self) -> Iterator[Problem]:
        what = "there are no validation pieces to choose a learning rate by"
        hint = "give a single rate (lr = 0.003), or music with validation pieces"
        if len(self._study.rates) > 1:
            for name, dataset in self._datasets.items():
                if not dataset.validation_pieces:
                    yield Problem(what, name, hint)

    def possible(self) -> Iterator[Cell | FloorsCell]:
        """The cells whose results a run may read or write, without duplicates."""
        yield from self.floors
        for component in self.components:
            trials, selection = component.trials(self._study), component.selection(self._study, self._results)
            # As long as the rate is open, any of them may turn out to be needed.
            cells = selection.cells if selection else component.every(self._study)
            first = self._results.read(trials[0])
            needed_trials = trials if first is None or first["learns"] else []
            yield from {cell.name: cell for cell in (*needed_trials, *cells)}.values()

    def known(self) -> Iterator[Cell | FloorsCell]:
        """The cells that are known to be needed, given the results so far.

        The first trial of a component shows whether it learns at all; the trials together choose its learning
        rate; only then are the remaining seeds known.
        """
        yield from self.floors
        for component in self.components:
            trials = component.trials(self._study)
            yield trials[0]
            if self.learns(trials[0]):
                yield from trials[1:]
                if all(self.is_done(cell) for cell in trials):
                    selection = component.selection(self._study, self._results)
                    tried = {cell.name for cell in trials}
                    cells = selection.cells if selection else ()
                    yield from (cell for cell in cells if cell.name not in tried)

    def count(self) -> int:
        """The number of cells that the study needs in total."""
        return len(self.floors) + sum(map(self.count_of, self.components))

    def count_of(self, component: Component) -> int:
        """Number of cells that a component needs in total; if unknown, that of one that learns."""
        trials = component.trials(self._study)
        # At the chosen rate, the trials have already run some of the seeds.
        remaining_seeds = self._study.settings.seeds - len(trials) // len(self._study.rates)
        return 1 if self.learns(trials[0]) is False else len(trials) + remaining_seeds

    def learns(self, cell: Cell) -> bool | None:
        """Whether its part learns by gradient; None without a result."""
        result = self._results.read(cell) if self.is_done(cell) else None
        return None if result is None else bool(result["learns"])

    def is_done(self, cell: Cell | FloorsCell) -> bool:
        """Whether there is a result on the music as it is now, in its current reading."""
        result = self._results.read(cell)
        if result is not None and not self._datasets[cell.data].has_produced(result):
            self.outdated.add(cell.name)
            return False
        return result is not None
