"""Rows: stored results of cores, decoders and velocities, assembled to combinations and ranked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from zoo.bench.cell import slots_of
from zoo.bench.components import Choice, component_of, floor_cells
from zoo.bench.grid import Combination
from zoo.bench.reading import Reading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.errors import Problem, ZooError
from zoo.measure.evaluation import SCORE, Difference, Evaluation, difference
from zoo.measure.figure import Figure, Kind, combined_kind, mean
from zoo.measure.interval import Floats
from zoo.parts import Slot
from zoo.parts.terms import TERMS, Term
from zoo.registry import Registry

OF_SCORE: tuple[Term, ...] = ("core", "decoder")
"""The terms of the loss that contribute to the score."""
Lack = Literal["waits", "failed"]
VELOCITY_FLOORS = "velocity="
"""Prefix of the labels of velocity floors."""


@dataclass(frozen=True)
class Row:
    """One row of a table: a combination, trained from every seed, or a floor.

    Attributes:
        labels: slot -> part as the study writes it; empty for a floor.
        floor: name of the floor; empty for a combination.
        evaluations: one per seed; a single one if nothing is learned by gradient.
        recipe: the words that build it.
        digest: digest of the recipe.
        parameters: term -> number of trained parameters; empty for a floor.
        seconds: term -> mean training time over seeds; empty for a floor.
        rates: term -> learning rate chosen by validation.
        selection_seeds: number of seeds, from the first, that chose the learning rates; 0 if there was no
            choice.
        validation: nats per frame on the validation pieces, summed over the terms that are validated; None if
            none is.
        made: provenance: versions of the code, of its parts and of libraries, and the machine.
    """

    labels: Mapping[Slot, str]
    floor: str
    evaluations: tuple[Evaluation, ...]
    recipe: str = ""
    digest: str = ""
    parameters: Mapping[Term, int] = field(default_factory=dict)
    seconds: Mapping[Term, float] = field(default_factory=dict)
    rates: Mapping[Term, float] = field(default_factory=dict)
    selection_seeds: int = 0
    validation: float | None = None
    made: Mapping[str, Any] = field(default_factory=dict)

    def label_for(self, slots: Sequence[Slot]) -> str:
        """The labels of the given slots, such as `onset lags`, or the name of the floor."""
        return self.floor or " ".join(self.labels[slot] for slot in slots)

    @property
    def families(self) -> tuple[int, ...]:
        """Family number of each piece; empty in older results, which have no families."""
        return next((evaluation.families for evaluation in self.evaluations if evaluation.families), ())

    def figure(self, *terms: str) -> Figure:
        """The sum of some terms: mean over seeds, with a 95 % interval over pieces and seeds."""
        variances = [evaluation.total(*terms).variance for evaluation in self.evaluations]
        known = [variance for variance in variances if variance is not None]
        weight = self.evaluations[0].weight(*terms)
        variance = np.stack(known) if known else None
        return mean(self._nats(terms), weight, self.kind(*terms), variance, self.families)

    def minus(self, other: Row, *terms: str) -> Difference:
        """The difference to another row on the same music, paired by piece and seed."""
        nats, weight = self._nats(terms) - other._nats(terms), self.evaluations[0].weight(*terms)
        # A single seed of trained parts gives no estimate of the variance over seeds.
        has_spread = len(nats) > 1 or not any((*self.parameters.values(), *other.parameters.values()))
        kinds = (self.kind(*terms), other.kind(*terms))
        paired = difference(nats, weight, kinds, self.families or other.families)
        return paired if has_spread else replace(paired, interval=None, p_value=None)

    def without(self, seeds: int) -> Row:
        """The row without its first seeds; a row that learns nothing is unchanged."""
        return replace(self, evaluations=self.evaluations[seeds:]) if len(self.evaluations) > 1 else self

    def known(self, terms: Sequence[str]) -> tuple[str, ...]:
        """The given terms that were scored on this music."""
        return tuple(term for term in terms if term in self.evaluations[0].terms)

    def kind(self, *terms: str) -> Kind:
        """The kind of the sum of some terms, over all seeds."""
        return combined_kind(evaluation.total(*terms).kind for evaluation in self.evaluations)

    def by_seed(self, *terms: str) -> list[float]:
        """The value of each seed."""
        frames = max(float(self.evaluations[0].weight(*terms).sum()), 1.0)
        return [float(nats) / frames for nats in self._nats(terms).sum(1)]

    def _nats(self, terms: Sequence[str]) -> Floats:
        """(S, N) nats of each piece from each seed."""
        return np.stack([evaluation.total(*terms).nats for evaluation in self.evaluations])


@dataclass(frozen=True)
class Table:
    """All rows of a study on one dataset.

    Attributes:
        study: the study.
        data: name of the dataset.
        reading: how the music of all results was read; None without results.
        rows: combinations and floors, the lowest nats first.
        loudness: rows that model velocities, and their floors, the lowest nats first; may be empty.
        missing: combinations that lack results.
        failed: combinations with a part whose training diverged to non-finite values.
    """

    study: Study
    data: str
    reading: Reading | None
    rows: tuple[Row, ...]
    loudness: tuple[Row, ...]
    missing: tuple[Combination, ...]
    failed: tuple[Combination, ...] = ()

    @property
    def selection_seeds(self) -> int:
        """Smallest number of seeds that chose a learning rate; 0 if there was no choice."""
        rows = (*self.rows, *self.loudness)
        return min((row.selection_seeds for row in rows if row.selection_seeds), default=0)

    @property
    def is_earlier(self) -> bool:
        """Whether its results are of an earlier reading of the music."""
        return self.reading is not None and self.reading.is_earlier

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms of the score on this music."""
        return self.rows[0].evaluations[0].score_terms if self.rows else SCORE


def tables(study: Study, results: Results, registry: Registry, only: Collection[str] = ()) -> list[Table]:
    """The tables of a study from stored results, one for each dataset, or only for the datasets in `only`.

    Raises:
        ZooError: results are damaged, or are of different versions or readings of the same dataset.
    """
    return [
        _table(study, data, results, registry)
        for data in study.settings.data
        if data in (only or study.settings.data)
    ]


def _table(study: Study, data: str, results: Results, registry: Registry) -> Table:
    readings: dict[str, Reading] = {}
    rows: list[Row] = []
    without_row: dict[Lack, list[Combination]] = {"waits": [], "failed": []}
    for combination in study.combinations:
        row = _row(study, combination, data, results, registry, readings)
        rows.append(row) if isinstance(row, Row) else without_row[row].append(combination)
    floors = list(_floors(study, data, results, readings))
    return Table(
        study=study,
        data=data,
        reading=_common_reading(readings, data),
        rows=_ranked([*rows, *floors], study.slots, SCORE),
        loudness=_ranked([*rows, *floors], study.loud_slots, ("velocity",)),
        missing=tuple(without_row["waits"]),
        failed=tuple(without_row["failed"]),
    )


def _common_reading(readings: Mapping[str, Reading], data: str) -> Reading | None:
    """The reading that all cells share, given the reading of each by its name."""
    examples = {reading: name for name, reading in readings.items()}
    if len(examples) > 1:
        names = ", ".join(f"{reading.name} in {name}" for reading, name in examples.items())
        hint = "`zoo bench run --replace` computes results of other music again"
        raise ZooError(Problem(f"these results are of different music: {names}", data, hint))
    return next(iter(readings.values()), None)


def _row(
    study: Study,
    combination: Combination,
    data: str,
    results: Results,
    registry: Registry,
    readings: dict[str, Reading],
) -> Row | Lack:
    """The row of a combination, assembled from the results of its terms, or why there is none."""
    recipe = combination.recipe
    results_of: dict[Term, list[dict[str, Any]]] = {}
    choices: dict[Term, Choice] = {}
    for term in TERMS:
        component = component_of(recipe, term, data, registry)
        if component is None or (term == "velocity" and _is_silent(study, data, results)):
            continue
        choice = component.choice(study, results)
        stored = [results.read(cell) for cell in choice.cells] if choice else []
        if choice is None or None in stored:
            return "waits"
        if any(result and result["evaluation"] is None for result in stored):
            return "failed"
        results_of[term] = [result for result in stored if result is not None]
        choices[term] = choice
        names = (cell.name for cell in choice.cells)
        readings |= dict(zip(names, map(Reading.of, results_of[term]), strict=True))
    return Row(
        labels=combination.labels,
        floor="",
        evaluations=tuple(_evaluations(results_of)),
        recipe=str(recipe),
        digest=recipe.digest,
        parameters={term: stored[0]["parameters"] for term, stored in results_of.items()},
        seconds={
            term: float(np.mean([result["seconds"] for result in stored]))
            for term, stored in results_of.items()
        },
        rates={term: choice.cells[0].train.lr for term, choice in choices.items()},
        selection_seeds=max(choice.selection_seeds for choice in choices.values()),
        validation=_validation(results_of),
        made={"parts": _parts(results_of), **results_of["core"][0]["made"]},
    )


def _validation(results_of: Mapping[Term, Sequence[Mapping[str, Any]]]) -> float | None:
    """The validation nats of core and decoder, mean over seeds; None if neither was validated."""
    validated = [[result["validation"] for result in results_of[term]] for term in OF_SCORE]
    means = [float(np.mean(nats)) for nats in validated if None not in nats]
    return sum(means) if means else None


def _is_silent(study: Study, data: str, results: Results) -> bool:
    """Whether the music is known to have no velocities."""
    return any(
        result is not None and "velocity" not in result["data"]["planes"]
        for result in (results.read(cell) for cell in floor_cells(study) if cell.data == data)
    )


def _evaluations(results_of: Mapping[Term, Sequence[Mapping[str, Any]]]) -> Iterator[Evaluation]:
    """One evaluation per seed with the terms of all parts; parts that learn nothing repeat theirs."""
    seeds = max(len(stored) for stored in results_of.values())
    for seed in range(seeds):
        parts = [
            Evaluation.from_json(stored[min(seed, len(stored) - 1)]["evaluation"])
            for stored in results_of.values()
        ]
        yield Evaluation(
            titles=parts[0].titles,
            digests=parts[0].digests,
            frames=parts[0].frames,
            terms={name: term for part in parts for name, term in part.terms.items()},
            struck=next((part.struck for part in parts if part.struck is not None), None),
            remarks={name: frames for part in parts for name, frames in part.remarks.items()},
            families=next((part.families for part in parts if part.families), ()),
        )


def _parts(results_of: Mapping[Term, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """The version of each part, from the cell in which it is not a stand-in."""
    return {slot: stored[0]["parts"][slot] for term, stored in results_of.items() for slot in slots_of(term)}


def _floors(study: Study, data: str, results: Results, readings: dict[str, Reading]) -> Iterator[Row]:
    """The floors of each plane of the study; their labels name the plane if there are two."""
    cells = [cell for cell in floor_cells(study) if cell.data == data]
    velocity_floors = set()
    for cell in cells:
        result = results.read(cell)
        if result is None:
            continue
        readings[cell.name] = Reading.of(result)
        for name, content in result["floors"].items():
            is_of_velocity = name.startswith(VELOCITY_FLOORS)
            label = name if is_of_velocity or len(cells) == 1 else f"{name}, {cell.plane}"
            if not is_of_velocity or name not in velocity_floors:
                yield Row({}, label, (Evaluation.from_json(content),), made=result["made"])
            velocity_floors.add(name)


def _ranked(rows: Sequence[Row], slots: Sequence[Slot], terms: Sequence[str]) -> tuple[Row, ...]:
    """The rows that score some terms, without duplicates, the lowest nats first.

    Rows that agree in the given slots have the same score: velocity does not change the score of keys, and
    only encoder and velocity change that of velocities.
    """
    distinct: dict[str, Row] = {}
    for row in rows:
        if terms[0] in row.evaluations[0].terms:
            distinct.setdefault(row.label_for(slots), row)
    return tuple(sorted(distinct.values(), key=lambda row: row.figure(*row.known(terms)).value))
