"""The rows of a table: combinations and floors with their figures, and the differences between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zoo.bench.grid import Combination
from zoo.bench.reading import MusicReading
from zoo.bench.study import Study
from zoo.measure.evaluation import SCORE, Difference, Evaluation, difference
from zoo.measure.figure import Figure, mean
from zoo.measure.interval import Floats
from zoo.parts import Slot
from zoo.parts.kinds import FigureKind, combined_kind
from zoo.parts.terms import Term


@dataclass(frozen=True)
class StudyRow:
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

    def minus(self, other: StudyRow, *terms: str) -> Difference:
        """The difference to another row on the same music, paired by piece and seed."""
        nats, weight = self._nats(terms) - other._nats(terms), self.evaluations[0].weight(*terms)
        # A single seed of trained parts gives no estimate of the variance over seeds.
        has_spread = len(nats) > 1 or not any((*self.parameters.values(), *other.parameters.values()))
        kinds = (self.kind(*terms), other.kind(*terms))
        paired = difference(nats, weight, kinds, self.families or other.families)
        return paired if has_spread else replace(paired, interval=None, p_value=None)

    def without(self, seeds: int) -> StudyRow:
        """The row without its first seeds; a row that learns nothing is unchanged."""
        return replace(self, evaluations=self.evaluations[seeds:]) if len(self.evaluations) > 1 else self

    def known(self, terms: Sequence[str]) -> tuple[str, ...]:
        """The given terms that were scored on this music."""
        return tuple(term for term in terms if term in self.evaluations[0].terms)

    def kind(self, *terms: str) -> FigureKind:
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
class StudyTable:
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
    reading: MusicReading | None
    rows: tuple[StudyRow, ...]
    loudness: tuple[StudyRow, ...]
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
