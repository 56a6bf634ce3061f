"""Components: the trained parts of a study, each from every seed at its best learning rate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from zoo.bench.cell import Cell, FloorsCell, isolated
from zoo.bench.reading import MusicReading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.parts.terms import TERMS, Term
from zoo.registry import Recipe, Registry

SELECTION_SEEDS = 2
"""Number of seeds that choose a learning rate: the best rate for one seed may be worse for others."""


@dataclass(frozen=True)
class Selection:
    """The trainings of a component that a table uses.

    Attributes:
        cells: one per seed, all at the same learning rate; a single one if nothing is learned.
        selection_seeds: number of seeds, from the first, that chose the rate; 0 if nothing was compared.
    """

    cells: tuple[Cell, ...]
    selection_seeds: int


@dataclass(frozen=True)
class Component:
    """A core, a decoder or a velocity part, trained from every seed at its best learning rate.

    Attributes:
        term: the term of the loss that trains it.
        recipe: the parts that it depends on, with stand-ins in the other slots.
        data: name of the dataset.
    """

    term: Term
    recipe: Recipe
    data: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """A key that is unique to the component."""
        return self.term, self.recipe.digest, self.data

    def suits(self, planes: Collection[str]) -> bool:
        """Whether it can be trained on music with these planes: velocity parts need velocities."""
        return self.term != "velocity" or "velocity" in planes

    def cell(self, study: Study, rate: float, seed: int) -> Cell:
        """Its training at a learning rate from a seed."""
        train = study.train_on(self.data).model_copy(update={"lr": rate})
        return Cell(self.term, self.recipe, self.data, study.settings.split, train, seed)

    def trials(self, study: Study) -> list[Cell]:
        """The trainings that choose its learning rate: each rate from the first two seeds.

        The first trial also shows whether the part learns at all. With a single rate there is one trial.
        """
        seeds = min(SELECTION_SEEDS, study.settings.seeds) if len(study.rates) > 1 else 1
        return [self.cell(study, rate, seed) for seed in range(seeds) for rate in study.rates]

    def every(self, study: Study) -> list[Cell]:
        """Its trainings from every seed at every learning rate."""
        return [self.cell(study, rate, seed) for rate in study.rates for seed in range(study.settings.seeds)]

    def selection(self, study: Study, results: Results) -> Selection | None:
        """Its trainings from every seed at the learning rate with the lowest mean validation nats.

        None while trials are missing. In results of an earlier reading, the first seed alone may have chosen.
        A part that learns nothing by gradient is the same from every seed and at every rate. If nothing was
        validated, as in results of older versions on music without validation pieces, the first rate was not
        chosen but is the only one that is used.
        """
        trials = self.trials(study)
        tried = [results.read(cell) for cell in trials]
        if tried[0] is not None and not tried[0]["learns"]:
            return Selection((trials[0],), 0)
        if None in tried and _is_earlier(tried[0]):
            tried = tried[: len(study.rates)]
        if None in tried:
            return None
        # Trials are ordered by seed, then by rate: every len(rates)-th one has the same rate.
        means = {rate: _validation(tried[n :: len(study.rates)]) for n, rate in enumerate(study.rates)}
        rate = min(means, key=lambda rate: means[rate])
        cells = (self.cell(study, rate, seed) for seed in range(study.settings.seeds))
        has_validated = any(result and result["validation"] is not None for result in tried)
        has_chosen = has_validated and len(study.rates) > 1
        return Selection(tuple(cells), len(tried) // len(study.rates) if has_chosen else 0)


def _is_earlier(result: Mapping[str, Any] | None) -> bool:
    return result is not None and MusicReading.of(result).is_earlier


def _validation(results: Sequence[Mapping[str, Any] | None]) -> float:
    """Mean validation nats of one rate; infinite if a training diverged or was not validated."""
    values = [result["validation"] if result else None for result in results]
    return fmean(float("inf") if value is None else float(value) for value in values)


def components(study: Study, registry: Registry) -> list[Component]:
    """Every distinct core, decoder and velocity part of a study, on each dataset."""
    distinct: dict[tuple[str, str, str], Component] = {}
    for data in study.settings.data:
        for row in study.combinations:
            for term in TERMS:
                component = component_of(row.recipe, term, data, registry)
                if component is not None:
                    distinct.setdefault(component.identity, component)
    return list(distinct.values())


def component_of(recipe: Recipe, term: Term, data: str, registry: Registry) -> Component | None:
    """The component of a row that a term trains; None for `velocity=none`, which models no velocities."""
    if term == "velocity" and recipe.parts["velocity"].entry.name == "none":
        return None
    return Component(term, isolated(recipe, term, registry), data)


def floor_cells(study: Study) -> list[FloorsCell]:
    """The cells of the floors in a study's tables."""
    planes = dict.fromkeys(str(row.recipe.facts["encoder.plane"]) for row in study.combinations)
    split = study.settings.split
    return [FloorsCell(plane, data, split) for data in study.settings.data for plane in planes]
