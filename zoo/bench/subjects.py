"""Subjects: what a study has trained, each with every seed at the learning rate that suits it best."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from zoo.bench.cell import Cell, FloorsCell, alone
from zoo.bench.reading import Reading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.parts.terms import TERMS, Term
from zoo.registry import Recipe, Registry

JUDGES = 2
"""How many seeds choose a learning rate: what suits one of them best may suit the others less."""


@dataclass(frozen=True)
class Choice:
    """The trainings that stand in a table.

    Attributes:
        cells: one for each seed, all at the same learning rate; one alone where nothing is learned.
        judges: how many of the seeds, from the first, chose that rate; 0 where there was nothing to choose.
    """

    cells: tuple[Cell, ...]
    judges: int


@dataclass(frozen=True)
class Subject:
    """One part of rows as it is trained: with every seed at the learning rate that suits it best.

    Attributes:
        term: which term of the loss it is.
        recipe: the parts it depends on, the others stood in for.
        data: name of the music.
    """

    term: Term
    recipe: Recipe
    data: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return self.term, self.recipe.digest, self.data

    def is_of(self, planes: Collection[str]) -> bool:
        """Whether music that knows these planes has what it is about: nobody learns loudness without any."""
        return self.term != "velocity" or "velocity" in planes

    def cell(self, study: Study, rate: float, seed: int) -> Cell:
        """Its training at a learning rate, from a seed."""
        train = study.train_on(self.data).model_copy(update={"lr": rate})
        return Cell(self.term, self.recipe, self.data, study.settings.split, train, seed)

    def trials(self, study: Study) -> list[Cell]:
        """The trainings that choose its learning rate: each rate from the first two seeds.

        The first of them also tells whether the part learns at all. One rate alone needs no choice.
        """
        judges = min(JUDGES, study.settings.seeds) if len(study.rates) > 1 else 1
        return [self.cell(study, rate, seed) for seed in range(judges) for rate in study.rates]

    def every(self, study: Study) -> list[Cell]:
        """Its trainings from every seed at every learning rate."""
        return [self.cell(study, rate, seed) for rate in study.rates for seed in range(study.settings.seeds)]

    def choice(self, study: Study, results: Results) -> Choice | None:
        """Its training from every seed at the learning rate of the lowest mean validation nats.

        None while trials are missing. Of an earlier reading the first seed may choose by itself. A part that
        learns nothing by gradient is the same from every seed and at every rate.
        """
        trials = self.trials(study)
        found = [results.read(cell) for cell in trials]
        if found[0] is not None and not found[0]["learns"]:
            return Choice((trials[0],), 0)
        if None in found and _is_earlier(found[0]):
            found = found[: len(study.rates)]
        if None in found:
            return None
        means = {rate: _validation(found[n :: len(study.rates)]) for n, rate in enumerate(study.rates)}
        rate = min(means, key=lambda rate: means[rate])
        cells = (self.cell(study, rate, seed) for seed in range(study.settings.seeds))
        judges = len(found) // len(study.rates) if len(study.rates) > 1 else 0
        return Choice(tuple(cells), judges)


def _is_earlier(result: Mapping[str, Any] | None) -> bool:
    return result is not None and Reading.of(result).is_earlier


def _validation(results: Sequence[Mapping[str, Any] | None]) -> float:
    """Mean validation nats of one rate; endless where a training broke off."""
    values = [result["validation"] if result else None for result in results]
    return fmean(float("inf") if value is None else float(value) for value in values)


def subjects(study: Study, registry: Registry) -> list[Subject]:
    """Every distinct core, decoder and velocity of a study, on each music; each once."""
    found: dict[tuple[str, str, str], Subject] = {}
    for data in study.settings.data:
        for row in study.combinations:
            for term in TERMS:
                subject = subject_of(row.recipe, term, data, registry)
                if subject is not None:
                    found.setdefault(subject.identity, subject)
    return list(found.values())


def subject_of(recipe: Recipe, term: Term, data: str, registry: Registry) -> Subject | None:
    """What is trained of a row for a term; None for `velocity=none`, which says nothing of loudness."""
    if term == "velocity" and recipe.parts["velocity"].entry.name == "none":
        return None
    return Subject(term, alone(recipe, term, registry), data)


def floor_cells(study: Study) -> list[FloorsCell]:
    """The floors under a study's rows."""
    planes = dict.fromkeys(str(row.recipe.facts["encoder.plane"]) for row in study.combinations)
    split = study.settings.split
    return [FloorsCell(plane, data, split) for data in study.settings.data for plane in planes]
