"""Rows: what was stored of cores, decoders and velocities, put together to combinations and ranked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from zoo.bench.cell import own
from zoo.bench.grid import Combination
from zoo.bench.reading import Reading
from zoo.bench.results import Results
from zoo.bench.study import Study
from zoo.bench.subjects import Choice, floor_cells, subject_of
from zoo.errors import Problem, ZooError
from zoo.measure.evaluation import SCORE, Difference, Evaluation, difference
from zoo.measure.figure import Figure, Kind, joined, mean
from zoo.measure.interval import Floats
from zoo.parts import Slot
from zoo.parts.terms import TERMS, Term
from zoo.registry import Registry

OF_SCORE: tuple[Term, ...] = ("core", "decoder")
"""The terms of the loss that a score is of."""
Lack = Literal["waits", "failed"]
VELOCITY_FLOORS = "velocity="
"""How the labels of the floors of loudness begin."""


@dataclass(frozen=True)
class Row:
    """One line of a table: a combination from every seed, or a floor.

    Attributes:
        labels: slot -> part as the study writes it; of a floor empty.
        floor: which floor it is; empty for a combination.
        found: one evaluation for each seed; one alone where nothing is learned by gradient.
        recipe: the words that build it.
        parameters: term -> how many numbers it learns by gradient; of a floor empty.
        seconds: term -> seconds of its training, mean over seeds; of a floor empty.
        rates: term -> the learning rate that validation chose.
        judges: how many seeds, from the first, validation chose them by; 0 where there was nothing to choose.
        validation: nats per frame of the validation pieces, what they judge of all terms; None where nothing
            was judged.
        made: what it was made with: versions and machine.
    """

    labels: Mapping[Slot, str]
    floor: str
    found: tuple[Evaluation, ...]
    recipe: str = ""
    digest: str = ""
    parameters: Mapping[Term, int] = field(default_factory=dict)
    seconds: Mapping[Term, float] = field(default_factory=dict)
    rates: Mapping[Term, float] = field(default_factory=dict)
    judges: int = 0
    validation: float | None = None
    made: Mapping[str, Any] = field(default_factory=dict)

    def called(self, slots: Sequence[Slot]) -> str:
        """What it is called among rows that differ in some slots: `onset lags`, or a floor's name."""
        return self.floor or " ".join(self.labels[slot] for slot in slots)

    @property
    def families(self) -> tuple[int, ...]:
        """Number of each piece's family; empty in results from before families were known."""
        return next((one.families for one in self.found if one.families), ())

    def figure(self, *terms: str) -> Figure:
        """The sum of some terms: mean over seeds, 95 % interval over pieces and seeds."""
        variances = [one.total(*terms).variance for one in self.found]
        known = [variance for variance in variances if variance is not None]
        weight = self.found[0].weight(*terms)
        variance = np.stack(known) if known else None
        return mean(self._nats(terms), weight, self.kind(*terms), variance, self.families)

    def minus(self, other: Row, *terms: str) -> Difference:
        """The difference to another row on the same music, paired by piece and seed."""
        apart, weight = self._nats(terms) - other._nats(terms), self.found[0].weight(*terms)
        # Of parts that learn, one seed alone cannot say whether another would turn the order around.
        is_known = len(apart) > 1 or not any((*self.parameters.values(), *other.parameters.values()))
        kinds = (self.kind(*terms), other.kind(*terms))
        found = difference(apart, weight, kinds, self.families or other.families)
        return found if is_known else replace(found, interval=None, chance=None)

    def without(self, seeds: int) -> Row:
        """The row without its first seeds; one that learns nothing is the same from every seed."""
        return replace(self, found=self.found[seeds:]) if len(self.found) > 1 else self

    def known(self, terms: Sequence[str]) -> tuple[str, ...]:
        """Those of some terms that the music has."""
        return tuple(term for term in terms if term in self.found[0].terms)

    def kind(self, *terms: str) -> Kind:
        """What the sum of some terms promises, of whatever seed."""
        return joined(one.total(*terms).kind for one in self.found)

    def by_seed(self, *terms: str) -> list[float]:
        """The value that each seed gives."""
        frames = max(float(self.found[0].weight(*terms).sum()), 1.0)
        return [float(nats) / frames for nats in self._nats(terms).sum(1)]

    def _nats(self, terms: Sequence[str]) -> Floats:
        """(S, N) nats of each piece from each seed."""
        return np.stack([one.total(*terms).nats for one in self.found])


@dataclass(frozen=True)
class Table:
    """All rows of a study on one music.

    Attributes:
        study: what is compared.
        data: name of the music.
        reading: how all of its results were read; None without any.
        rows: combinations and floors, the lowest nats first.
        loudness: the same of loudness: parts that have a say in it, and its floors; may be empty.
        missing: combinations that wait for results.
        failed: combinations with a part whose training came to a value that is not finite.
    """

    study: Study
    data: str
    reading: Reading | None
    rows: tuple[Row, ...]
    loudness: tuple[Row, ...]
    missing: tuple[Combination, ...]
    failed: tuple[Combination, ...] = ()

    @property
    def judges(self) -> int:
        """How many seeds at least chose the learning rates; 0 where there was nothing to choose."""
        rows = (*self.rows, *self.loudness)
        return min((row.judges for row in rows if row.judges), default=0)

    @property
    def is_earlier(self) -> bool:
        """Whether it is of an earlier reading of the music."""
        return self.reading is not None and self.reading.is_earlier

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms of the score that the music has."""
        return self.rows[0].found[0].score_terms if self.rows else SCORE


def tables(study: Study, results: Results, registry: Registry, only: Collection[str] = ()) -> list[Table]:
    """The tables of a study, one for each music, or only for some, from what is stored alone.

    Raises:
        ZooError: results are damaged, or are of different versions of the same music or read differently.
    """
    return [
        _table(study, data, results, registry)
        for data in study.settings.data
        if data in (only or study.settings.data)
    ]


def _table(study: Study, data: str, results: Results, registry: Registry) -> Table:
    readings: dict[str, Reading] = {}
    rows: list[Row] = []
    others: dict[Lack, list[Combination]] = {"waits": [], "failed": []}
    for combination in study.combinations:
        row = _row(study, combination, data, results, registry, readings)
        rows.append(row) if isinstance(row, Row) else others[row].append(combination)
    floors = list(_floors(study, data, results, readings))
    return Table(
        study=study,
        data=data,
        reading=_one(readings, data),
        rows=_ranked([*rows, *floors], study.slots, SCORE),
        loudness=_ranked([*rows, *floors], study.loud_slots, ("velocity",)),
        missing=tuple(others["waits"]),
        failed=tuple(others["failed"]),
    )


def _one(readings: Mapping[str, Reading], data: str) -> Reading | None:
    """The reading of all cells, by their names."""
    examples = {reading: name for name, reading in readings.items()}
    if len(examples) > 1:
        names = ", ".join(f"{reading.name} in {name}" for reading, name in examples.items())
        cure = "`zoo bench run --anew` does again what was measured on other music than is there now"
        raise ZooError(Problem(f"these results are not of the same music: {names}", data, cure))
    return next(iter(readings.values()), None)


def _row(
    study: Study,
    combination: Combination,
    data: str,
    results: Results,
    registry: Registry,
    readings: dict[str, Reading],
) -> Row | Lack:
    """A combination put together from its terms, or why it is not."""
    recipe = combination.recipe
    found: dict[Term, list[dict[str, Any]]] = {}
    choices: dict[Term, Choice] = {}
    for term in TERMS:
        subject = subject_of(recipe, term, data, registry)
        if subject is None or (term == "velocity" and _is_silent(study, data, results)):
            continue
        choice = subject.choice(study, results)
        stored = [results.read(cell) for cell in choice.cells] if choice else []
        if choice is None or None in stored:
            return "waits"
        if any(one and one["evaluation"] is None for one in stored):
            return "failed"
        found[term] = [one for one in stored if one is not None]
        choices[term] = choice
        names = (cell.name for cell in choice.cells)
        readings |= dict(zip(names, map(Reading.of, found[term]), strict=True))
    return Row(
        labels=combination.labels,
        floor="",
        found=tuple(_joined(found)),
        recipe=str(recipe),
        digest=recipe.digest,
        parameters={term: stored[0]["parameters"] for term, stored in found.items()},
        seconds={term: float(np.mean([one["seconds"] for one in stored])) for term, stored in found.items()},
        rates={term: choice.cells[0].train.lr for term, choice in choices.items()},
        judges=max(choice.judges for choice in choices.values()),
        validation=_judged(found),
        made={"parts": _parts(found), **found["core"][0]["made"]},
    )


def _judged(found: Mapping[Term, Sequence[Mapping[str, Any]]]) -> float | None:
    """The validation nats of core and decoder, mean over seeds, as far as they were judged."""
    judged = [[one["validation"] for one in found[term]] for term in OF_SCORE]
    means = [float(np.mean(nats)) for nats in judged if None not in nats]
    return sum(means) if means else None


def _is_silent(study: Study, data: str, results: Results) -> bool:
    """Whether the music is known to have no loudness."""
    return any(
        result is not None and "velocity" not in result["data"]["planes"]
        for result in (results.read(cell) for cell in floor_cells(study) if cell.data == data)
    )


def _joined(found: Mapping[Term, Sequence[Mapping[str, Any]]]) -> Iterator[Evaluation]:
    """One evaluation for each seed, with the terms of all; what learns nothing stands beside every seed."""
    seeds = max(len(stored) for stored in found.values())
    for seed in range(seeds):
        parts = [
            Evaluation.from_json(stored[min(seed, len(stored) - 1)]["evaluation"])
            for stored in found.values()
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


def _parts(found: Mapping[Term, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """The version of each part, from the cell in which it was no stand-in."""
    return {slot: stored[0]["parts"][slot] for term, stored in found.items() for slot in own(term)}


def _floors(study: Study, data: str, results: Results, readings: dict[str, Reading]) -> Iterator[Row]:
    """The floors of every plane there is a row of; where there are two, each says which it is of."""
    cells = [cell for cell in floor_cells(study) if cell.data == data]
    loud = set()
    for cell in cells:
        result = results.read(cell)
        if result is None:
            continue
        readings[cell.name] = Reading.of(result)
        for name, content in result["floors"].items():
            is_loud = name.startswith(VELOCITY_FLOORS)
            label = name if is_loud or len(cells) == 1 else f"{name}, {cell.plane}"
            if not is_loud or name not in loud:
                yield Row({}, label, (Evaluation.from_json(content),), made=result["made"])
            loud.add(name)


def _ranked(rows: Sequence[Row], slots: Sequence[Slot], terms: Sequence[str]) -> tuple[Row, ...]:
    """Rows that have something to say of some terms, each once, the lowest nats first.

    Rows that differ in other slots alone are one: velocity does not change the score, nor the rest loudness.
    """
    found: dict[str, Row] = {}
    for row in rows:
        if terms[0] in row.found[0].terms:
            found.setdefault(row.called(slots), row)
    return tuple(sorted(found.values(), key=lambda row: row.figure(*row.known(terms)).value))
