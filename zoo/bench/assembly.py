"""Assembly: the tables of a study, put together from the stored results of cores, decoders and velocities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from zoo.bench.cell import slots_of
from zoo.bench.components import Selection, component_of, floor_cells
from zoo.bench.grid import Combination
from zoo.bench.reading import MusicReading
from zoo.bench.results import Results
from zoo.bench.rows import StudyRow, StudyTable
from zoo.bench.study import Study
from zoo.errors import Problem, ZooError
from zoo.measure.evaluation import SCORE, Evaluation
from zoo.parts import Slot
from zoo.parts.terms import OF_SCORE, TERMS, Term
from zoo.registry import Registry

VELOCITY_FLOORS = "velocity="
"""Prefix of the labels of velocity floors."""

WithoutRow = Literal["missing", "failed"]
"""Why a combination has no row: results are missing, or a part diverged."""


def tables(
    study: Study, results: Results, registry: Registry, only: Collection[str] = ()
) -> list[StudyTable]:
    """The tables of a study from stored results, one for each dataset, or only for the datasets in `only`.

    Raises:
        ZooError: results are damaged, or are of different versions or readings of the same dataset.
    """
    chosen = [data for data in study.settings.data if data in (only or study.settings.data)]
    return [_table(study, data, results, registry) for data in chosen]


def _table(study: Study, data: str, results: Results, registry: Registry) -> StudyTable:
    readings: dict[str, MusicReading] = {}
    rows: list[StudyRow] = []
    without_row: dict[WithoutRow, list[Combination]] = {"missing": [], "failed": []}
    for combination in study.combinations:
        row = _row(study, combination, data, results, registry, readings)
        rows.append(row) if isinstance(row, StudyRow) else without_row[row].append(combination)
    floors = list(_floors(study, data, results, readings))
    return StudyTable(
        study=study,
        data=data,
        reading=_common_reading(readings, data),
        rows=_ranked([*rows, *floors], study.slots, SCORE),
        loudness=_ranked([*rows, *floors], study.loud_slots, ("velocity",)),
        missing=tuple(without_row["missing"]),
        failed=tuple(without_row["failed"]),
    )


def _common_reading(readings: Mapping[str, MusicReading], data: str) -> MusicReading | None:
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
    readings: dict[str, MusicReading],
) -> StudyRow | WithoutRow:
    """The row of a combination, assembled from the results of its terms, or why there is none."""
    recipe = combination.recipe
    results_of: dict[Term, list[dict[str, Any]]] = {}
    selections: dict[Term, Selection] = {}
    for term in TERMS:
        component = component_of(recipe, term, data, registry)
        if component is None or (term == "velocity" and is_silent(study, data, results)):
            continue
        selection = component.selection(study, results)
        stored = [results.read(cell) for cell in selection.cells] if selection else []
        if selection is None or None in stored:
            return "missing"
        if any(result and result["evaluation"] is None for result in stored):
            return "failed"
        results_of[term] = [result for result in stored if result is not None]
        selections[term] = selection
        names = (cell.name for cell in selection.cells)
        readings |= dict(zip(names, map(MusicReading.of, results_of[term]), strict=True))
    return StudyRow(
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
        rates={term: selection.cells[0].train.lr for term, selection in selections.items()},
        selection_seeds=max(selection.selection_seeds for selection in selections.values()),
        validation=_validation(results_of),
        made={"parts": _parts(results_of), **_made(results_of)},
    )


def _validation(results_of: Mapping[Term, Sequence[Mapping[str, Any]]]) -> float | None:
    """The validation nats of core and decoder, mean over seeds; None if neither was validated."""
    validated = [[result["validation"] for result in results_of[term]] for term in OF_SCORE]
    means = [float(np.mean(nats)) for nats in validated if None not in nats]
    return sum(means) if means else None


def is_silent(study: Study, data: str, results: Results) -> bool:
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


def _made(results_of: Mapping[Term, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """The provenance of all results of a row; several values of a field are listed: `0.1.0, 0.2.0`."""
    made = [result["made"] for stored in results_of.values() for result in stored]
    fields = dict.fromkeys(name for each in made for name in each)
    return {name: ", ".join(sorted({str(each[name]) for each in made if name in each})) for name in fields}


def _parts(results_of: Mapping[Term, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """The version of each part, from the cell in which it is not a stand-in."""
    return {slot: stored[0]["parts"][slot] for term, stored in results_of.items() for slot in slots_of(term)}


def _floors(
    study: Study, data: str, results: Results, readings: dict[str, MusicReading]
) -> Iterator[StudyRow]:
    """The floors of each plane of the study; their labels name the plane if there are two."""
    cells = [cell for cell in floor_cells(study) if cell.data == data]
    velocity_floors = set()
    for cell in cells:
        result = results.read(cell)
        if result is None:
            continue
        readings[cell.name] = MusicReading.of(result)
        for name, content in result["floors"].items():
            is_of_velocity = name.startswith(VELOCITY_FLOORS)
            label = name if is_of_velocity or len(cells) == 1 else f"{name}, {cell.plane}"
            if not is_of_velocity or name not in velocity_floors:
                yield StudyRow({}, label, (Evaluation.from_json(content),), made=result["made"])
            velocity_floors.add(name)


def _ranked(rows: Sequence[StudyRow], slots: Sequence[Slot], terms: Sequence[str]) -> tuple[StudyRow, ...]:
    """The rows that score some terms, without duplicates, the lowest nats first.

    Rows that agree in the given slots have the same score: velocity does not change the score of keys, and
    only encoder and velocity change that of velocities.
    """
    labels = {row.label_for(slots) for row in rows if not row.floor}
    distinct: dict[str, StudyRow] = {}
    for row in rows:
        if terms[0] in row.evaluations[0].terms:
            if row.floor in labels:
                row = replace(row, floor=f"{row.floor} (floor)")
            distinct.setdefault(row.label_for(slots), row)
    return tuple(sorted(distinct.values(), key=lambda row: row.figure(*row.known(terms)).value))
