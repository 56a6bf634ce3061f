"""Subjects: what a study has trained, each with every seed at the learning rate that suits it best."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.bench.cell import Cell, FloorsCell, alone
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.parts.terms import TERMS, Term
from zoo.registry import Recipe, Registry


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
        train = study.train.model_copy(update={"lr": rate})
        return Cell(self.term, self.recipe, self.data, study.settings.split, train, seed)

    def trials(self, study: Study) -> list[Cell]:
        """The trainings that choose its learning rate, all from the first seed."""
        return [self.cell(study, rate, 0) for rate in study.rates]

    def every(self, study: Study) -> list[Cell]:
        """Its trainings from every seed at every learning rate."""
        return [self.cell(study, rate, seed) for rate in study.rates for seed in range(study.settings.seeds)]

    def chosen(self, study: Study, results: Results) -> list[Cell] | None:
        """Its training from every seed at the best learning rate; None while trials are missing.

        A part that learns nothing by gradient is the same from every seed and at every rate.
        """
        found = [(cell, results.read(cell)) for cell in self.trials(study)]
        first, result = found[0]
        if result is not None and not result["learns"]:
            return [first]
        if any(result is None for _, result in found):
            return None
        best, _ = min(found, key=lambda pair: _validation(pair[1]))
        return [self.cell(study, best.train.lr, seed) for seed in range(study.settings.seeds)]


def _validation(result: Mapping[str, Any] | None) -> float:
    value = result["validation"] if result else None
    return float("inf") if value is None else float(value)


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
