"""Resemblance: the distance between generated and held-out music, measure by measure.

A distance is hard to interpret by itself, so each has a floor: the distance between two halves of the
held-out music, as Yang and Lerch compare distances with those within real music (On the evaluation of
generative models in music, 2020). Likelihood and resemblance are different criteria, and neither implies the
other (Theis, van den Oord and Bethge, A note on the evaluation of generative models, 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, Problem
from zoo.measure.copying import longest_copies
from zoo.measure.distance import bootstrap_sums, jensen_shannon, permuted_sums, wasserstein
from zoo.measure.interval import Floats, Interval, holm
from zoo.measure.music import MEASURES, QUARTERS
from zoo.measure.passages import halves
from zoo.music.roll import Roll

if TYPE_CHECKING:
    from zoo.data import Corpus

RESAMPLES = 2000
LONGEST_COPY = "longest copy"
"""The measure that searches the training pieces."""
FEWEST = 3
"""Minimum number of generated passages, and of each half, for a verdict: 2 + 2 + 2 have only 45 distinct
permutations."""


@dataclass(frozen=True)
class Likeness:
    """The result of one measure.

    Attributes:
        measure: name of the measure.
        unit: unit of the values and of their Wasserstein distance; None for categories, whose distance is the
            Jensen-Shannon divergence in nats, at most ln 2. In older tables lengths are in frames of a
            sixteenth, otherwise in quarter notes.
        generated: mean of the generated passages; None for categories.
        held_out: mean of the held-out passages; None for categories.
        distance: distance of the generated from the held-out passages, averaged over the two halves.
        interval: 95 % bootstrap interval over passages; None if a group has fewer than two. It is biased
            upwards near the floor, since resampling only adds distance between similar groups.
        floor: distance between the two halves of the held-out passages.
        chance: p-value of a permutation test: how often the distance is at least as large when passages are
            permuted among the three groups.
        corrected: `chance`, corrected for all measures of the table; see `holm`.
        passages: number of passages for which the measure is defined: generated, first and second half.
    """

    measure: str
    unit: str | None
    generated: float | None
    held_out: float | None
    distance: float
    interval: Interval | None
    floor: float
    chance: float
    corrected: float
    passages: tuple[int, int, int]

    @property
    def metric(self) -> str:
        """Name of the distance."""
        return "jensen-shannon" if self.unit is None else "wasserstein"

    @property
    def verdict(self) -> str:
        """Whether the distance is significant: `different`, `not clear`, or `too few` for a verdict.

        If generated and held-out music have the same distribution, at most 5 % of tables call any measure
        different.
        """
        if min(self.passages) < FEWEST:
            return "too few"
        return "different" if self.corrected < 0.05 else "not clear"


@dataclass(frozen=True)
class Resemblance:
    """The results of all measures on passages of equal length.

    Attributes:
        frames: length of each passage.
        passages: number of passages: generated, first and second half of the held-out music.
        likenesses: one for each measure that is defined for this music.
        temperature: the temperature at which the passages were generated.
    """

    frames: int
    passages: tuple[int, int, int]
    likenesses: tuple[Likeness, ...]
    temperature: float = 1.0

    @property
    def compared(self) -> str:
        """What was compared, for titles."""
        generated, first, second = self.passages
        heat = "" if self.temperature == 1 else f" at temperature {self.temperature:g}"
        return f"{generated} generated{heat} and {first} + {second} held-out passages of {self.frames} frames"

    def without_copies(self) -> Resemblance:
        """Without the longest copy, for models that were trained on music that was not searched for it."""
        rest = [likeness for likeness in self.likenesses if likeness.measure != LONGEST_COPY]
        return replace(self, likenesses=correct_p_values(rest))

    def to_json(self) -> dict[str, Any]:
        """The resemblance as JSON; the inverse of `from_json`."""
        measures = [
            asdict(likeness) | {"metric": likeness.metric, "verdict": likeness.verdict}
            for likeness in self.likenesses
        ]
        return {
            "frames": self.frames,
            "passages": list(self.passages),
            "temperature": self.temperature,
            "measures": measures,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Resemblance:
        """The inverse of `to_json`."""
        names = {field.name for field in fields(Likeness)}
        likenesses = [
            Likeness(**{name: _tuple(value) for name, value in measure.items() if name in names})
            for measure in content["measures"]
        ]
        return cls(
            content["frames"],
            _tuple(content["passages"]),
            tuple(likenesses),
            content.get("temperature", 1.0),
        )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def resemble(
    generated: Sequence[Roll],
    held_out: Corpus,
    training: Corpus,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Resemblance:
    """Compare generated passages with held-out music.

    Each family of held-out pieces provides one passage, if the frames from the first bar line of a piece on
    are whole bars. The passages are split into halves by the digests of their pieces. A half has at most as
    many passages as were generated, since distances between small groups are larger. Measures that need
    onsets are left out unless all music has them.

    Args:
        generated: passages of equal length, usually `passage_frames(held_out)`, with the meters that they
            were generated in, usually from `passage_meters`.
        held_out: pieces that no model was trained on.
        training: pieces in which to search for copied passages.
        seed: seed of the resampling.
        resamples: number of bootstrap samples and of permutations. With fewer than 20 per measure, no
            difference can be significant.

    Raises:
        ValueError: the passages have different lengths, or held-out pieces of fewer than two families have
            whole bars of that length.
        DataError: not all of the music is on the same grid.
    """
    if len({roll.frames for roll in generated}) != 1:
        raise ValueError("all generated passages must have the same length")
    _check_grids(generated, held_out, training)
    with_onsets = "onset" in held_out.planes & training.planes and all(
        roll.onset is not None for roll in generated
    )
    both_halves = halves(held_out, generated[0].frames, at_most=len(generated))
    groups = [_drop_onsets_unless(with_onsets, rolls) for rolls in (generated, *both_halves)]
    likenesses = []
    for name, unit, measured in _compute_measures(groups, training, with_onsets):
        values, tables = _tables(measured)
        values = values / held_out.grid if unit == QUARTERS else values
        if all(len(table) for table in tables):
            likenesses.append(_compare(name, unit, values, tables, seed, resamples))
    return Resemblance(generated[0].frames, _lengths(groups), correct_p_values(likenesses))


def correct_p_values(likenesses: Sequence[Likeness]) -> tuple[Likeness, ...]:
    """Correct the p-values for the number of measures."""
    p_values = holm([likeness.chance for likeness in likenesses])
    return tuple(
        replace(likeness, corrected=p_value) for likeness, p_value in zip(likenesses, p_values, strict=True)
    )


Measured = list[list[float | Floats | None]]
"""The result of a measure for each passage of each group."""


def _compute_measures(
    groups: Sequence[list[Roll]], training: Corpus, with_onsets: bool
) -> Iterator[tuple[str, str | None, Measured]]:
    """Yield name, unit and results of each measure."""
    for name, measure in MEASURES.items():
        if with_onsets or not measure.needs_onsets:
            compute: Callable[[Roll], float | Floats | None] = measure.compute
            yield name, measure.unit, [[compute(roll) for roll in group] for group in groups]
    pieces = (training.roll(index) for index in range(len(training.pieces)))
    # All groups at once, since sorting the training music takes most of the time.
    copies = longest_copies([roll for group in groups for roll in group], pieces, with_onsets=with_onsets)
    by_group = np.split(copies.astype(np.float64), np.cumsum([len(group) for group in groups])[:-1])
    yield LONGEST_COPY, QUARTERS, [[*map(float, group)] for group in by_group]


def _tables(measured: Measured) -> tuple[Floats, list[Floats]]:
    """The distinct values (S,), and a table (N, S) for each group, without undefined and empty results."""
    defined = [[value for value in group if value is not None] for group in measured]
    if any(isinstance(value, np.ndarray) for group in defined for value in group):
        stacked = [np.array(group, np.float64) for group in defined]
        tables = [table[table.sum(1) > 0] for table in stacked]
        return np.arange(tables[0].shape[1], dtype=np.float64), tables
    numbers = [np.array(group, np.float64) for group in defined]
    values = np.unique(np.concatenate(numbers))
    return values, [(group[:, None] == values).astype(np.float64) for group in numbers]


def _compare(
    name: str, unit: str | None, values: Floats, tables: Sequence[Floats], seed: int, resamples: int
) -> Likeness:
    """Compare the tables of the generated passages and of the two halves of the held-out ones."""

    def distance_and_floor(generated: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats]:
        def distance(p: Floats, q: Floats) -> Floats:
            return jensen_shannon(p, q) if unit is None else wasserstein(p, q, values)

        # To each half by itself, not to both together: the floor is a distance between groups of the size
        # of a half, and distances shrink as groups grow.
        return (distance(generated, first) + distance(generated, second)) / 2, distance(first, second)

    def mean(*tables: Floats) -> float | None:
        weights = sum(table.sum(0) for table in tables)
        return None if unit is None else float(np.average(values, weights=weights))

    generated, *halves = tables
    distance, floor = distance_and_floor(*(table.sum(0) for table in tables))
    bootstrapped, _ = distance_and_floor(
        *(bootstrap_sums(table, resamples, (seed, group)) for group, table in enumerate(tables))
    )
    low, high = np.quantile(bootstrapped, (0.025, 0.975))
    permuted, _ = distance_and_floor(*permuted_sums(tables, resamples, (seed, len(tables))))
    # The observed grouping is one of the permutations, hence the 1 in numerator and denominator. The
    # tolerance counts permutations that are equal up to rounding.
    p_value = float((1 + (permuted >= distance - 1e-12).sum()) / (1 + resamples))
    return Likeness(
        measure=name,
        unit=unit,
        generated=mean(generated),
        held_out=mean(*halves),
        distance=float(distance),
        interval=(float(low), float(high)) if min(map(len, tables)) > 1 else None,
        floor=float(floor),
        chance=p_value,
        corrected=p_value,
        passages=_lengths(tables),
    )


def _lengths(groups: Sequence[Sequence[Any] | Floats]) -> tuple[int, int, int]:
    generated, first, second = map(len, groups)
    return generated, first, second


def _check_grids(generated: Sequence[Roll], held_out: Corpus, training: Corpus) -> None:
    generated_grids = {roll.meter.grid for roll in generated}
    if generated_grids | {training.grid} != {held_out.grid}:
        grids = {
            "generated": ", ".join(map(str, sorted(generated_grids))),
            held_out.name: str(held_out.grid),
            f"{training.name} for training": str(training.grid),
        }
        listed = "; ".join(f"{name}: {grid}" for name, grid in grids.items())
        what = f"music on different grids cannot be compared (frames per quarter note: {listed})"
        raise DataError(Problem(what, hint="read and generate all of it on the same grid"))


def _drop_onsets_unless(with_onsets: bool, rolls: Sequence[Roll]) -> list[Roll]:
    return [replace(roll, onset=roll.onset if with_onsets else None) for roll in rolls]
