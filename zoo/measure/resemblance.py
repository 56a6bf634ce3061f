"""Resemblance: how far music that a model writes is from music it has not seen, measure by measure.

A distance alone says little, so its floor stands beside it: how far two halves of the unseen music are from
each other. Likelihood and resemblance are two things, and neither replaces the other (Theis, van den Oord
and Bethge, A note on the evaluation of generative models, 2016). Setting distances beside those within real
music is after Yang and Lerch (On the evaluation of generative models in music, 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, Problem
from zoo.measure.copying import longest_copies
from zoo.measure.distance import jensen_shannon, resampled, shuffled, wasserstein
from zoo.measure.interval import Floats, Interval, holm
from zoo.measure.music import MEASURES, QUARTERS
from zoo.measure.passages import halves
from zoo.music.roll import Roll

if TYPE_CHECKING:
    from zoo.data import Corpus

RESAMPLES = 2000
FEWEST = 3
"""Passages of each lot below which there is no verdict: two of each can be shuffled in 45 ways at most."""


@dataclass(frozen=True)
class Likeness:
    """What one measure says.

    Attributes:
        measure: its name.
        unit: of the values and of distances by `wasserstein` (the first, how far values must be moved);
            None where values are names, whose distance is `jensen-shannon`, in nats, at most ln 2. Lengths
            of older tables are in frames, which were sixteenths, others in quarters.
        generated: mean of the generated passages; None where values are names.
        held_out: mean of the held-out ones.
        distance: of the generated passages from held-out ones, the mean over both halves of these.
        interval: 95 % of the bootstrap over passages; None where a side has fewer than two. It leans upwards
            near the floor, as all distances between resampled passages do.
        floor: distance between the two halves.
        chance: how often passages shuffled among the three lots are as far apart as this, or further: the
            p-value of a permutation test of whether it matters who wrote them.
        corrected: that chance for all measures of the table at once; see `holm`.
        passages: how many had something to measure, generated and of each half.
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
        """Which distance it is."""
        return "jensen-shannon" if self.unit is None else "wasserstein"

    @property
    def verdict(self) -> str:
        """Whether the distance is more than chance explains: `different`, `not clear`, or `too few`.

        Of tables of music drawn alike at most 5 % have any measure that is called different. One or two
        passages of a lot are too few for either word.
        """
        if min(self.passages) < FEWEST:
            return "too few"
        return "different" if self.corrected < 0.05 else "not clear"


@dataclass(frozen=True)
class Resemblance:
    """What all measures say, of passages of equal length from the first bar line of each piece.

    Attributes:
        frames: length of every passage.
        passages: how many there are, generated and in each half of the held-out music.
        likenesses: one for each measure that the music allows.
    """

    frames: int
    passages: tuple[int, int, int]
    likenesses: tuple[Likeness, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        measures = [
            asdict(found) | {"metric": found.metric, "verdict": found.verdict} for found in self.likenesses
        ]
        return {"frames": self.frames, "passages": list(self.passages), "measures": measures}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Resemblance:
        """From what `to_json` gave."""
        names = {field.name for field in fields(Likeness)}
        likenesses = [
            Likeness(**{name: _tuple(value) for name, value in measure.items() if name in names})
            for measure in kept["measures"]
        ]
        return cls(kept["frames"], _tuple(kept["passages"]), tuple(likenesses))


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
    """How far generated passages are from held-out music, and that music from itself.

    Each held-out piece in which so many frames from its first bar line on are whole bars gives one passage.
    The pieces are halved by their digests; no half has more passages than were generated, since distances
    between few passages are larger. What is not known of all the music, such as onsets, is measured of none.

    Args:
        generated: passages of equal length, usually `passage_frames(held_out)`, in the meter in which they
            were written, usually one of `passage_meters`.
        held_out: pieces that no model has seen.
        training: pieces in which copied passages are looked for.
        seed: of the resampling.
        resamples: how many times; fewer than 20 for each measure can call nothing different.

    Raises:
        ValueError: the passages are not equally long, or fewer than two held-out pieces have whole bars of
            that length.
        DataError: not all of the music is on the same grid.
    """
    if len({roll.frames for roll in generated}) != 1:
        raise ValueError("resemblance is measured of passages that are equally long")
    _check_grids(generated, held_out, training)
    struck = "onset" in held_out.planes & training.planes and all(r.onset is not None for r in generated)
    unseen = halves(held_out, generated[0].frames, at_most=len(generated))
    sides = [_as_known(rolls, struck) for rolls in (generated, *unseen)]
    likenesses = []
    for name, unit, found in _measured(sides, training, struck):
        values, tables = _tables(found)
        values = values / held_out.grid if unit == QUARTERS else values
        if all(len(table) for table in tables):
            likenesses.append(_likeness(name, unit, values, tables, seed, resamples))
    return Resemblance(generated[0].frames, _lengths(sides), corrected(likenesses))


def corrected(likenesses: Sequence[Likeness]) -> tuple[Likeness, ...]:
    """The same with chances that hold for all measures at once."""
    chances = holm([likeness.chance for likeness in likenesses])
    return tuple(
        replace(likeness, corrected=chance) for likeness, chance in zip(likenesses, chances, strict=True)
    )


Found = list[list[float | Floats | None]]
"""What a measure says of each passage of each side."""


def _measured(
    sides: Sequence[list[Roll]], training: Corpus, struck: bool
) -> Iterator[tuple[str, str | None, Found]]:
    for name, measure in MEASURES.items():
        if struck or not measure.needs_onsets:
            of: Callable[[Roll], float | Floats | None] = measure.of
            yield name, measure.unit, [[of(roll) for roll in side] for side in sides]
    pieces = (training.roll(index) for index in range(len(training.pieces)))
    copies = longest_copies([roll for side in sides for roll in side], pieces, with_onsets=struck)
    each = np.split(copies.astype(np.float64), np.cumsum([len(side) for side in sides])[:-1])
    yield "longest copy", QUARTERS, [[*map(float, side)] for side in each]


def _tables(found: Found) -> tuple[Floats, list[Floats]]:
    """The values (S,) that occur, and the table (N, S) of each side; passages with nothing are left out."""
    known = [[value for value in side if value is not None] for side in found]
    if any(isinstance(value, np.ndarray) for side in known for value in side):
        stacked = [np.array(side, np.float64) for side in known]
        tables = [table[table.sum(1) > 0] for table in stacked]
        return np.arange(tables[0].shape[1], dtype=np.float64), tables
    numbers = [np.array(side, np.float64) for side in known]
    values = np.unique(np.concatenate(numbers))
    return values, [(side[:, None] == values).astype(np.float64) for side in numbers]


def _likeness(
    name: str, unit: str | None, values: Floats, tables: Sequence[Floats], seed: int, resamples: int
) -> Likeness:
    def distances(generated: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats]:
        def apart(one: Floats, other: Floats) -> Floats:
            return jensen_shannon(one, other) if unit is None else wasserstein(one, other, values)

        return (apart(generated, first) + apart(generated, second)) / 2, apart(first, second)

    def mean(*tables: Floats) -> float | None:
        weights = sum(table.sum(0) for table in tables)
        return None if unit is None else float(np.average(values, weights=weights))

    generated, *halves = tables
    distance, floor = distances(*(table.sum(0) for table in tables))
    drawn, _ = distances(*(resampled(table, resamples, (seed, side)) for side, table in enumerate(tables)))
    low, high = np.quantile(drawn, (0.025, 0.975))
    mixed, _ = distances(*shuffled(tables, resamples, (seed, len(tables))))
    chance = float((1 + (mixed >= distance - 1e-12).sum()) / (1 + resamples))
    return Likeness(
        measure=name,
        unit=unit,
        generated=mean(generated),
        held_out=mean(*halves),
        distance=float(distance),
        interval=(float(low), float(high)) if min(map(len, tables)) > 1 else None,
        floor=float(floor),
        chance=chance,
        corrected=chance,
        passages=_lengths(tables),
    )


def _lengths(sides: Sequence[Sequence[Any] | Floats]) -> tuple[int, int, int]:
    generated, first, second = map(len, sides)
    return generated, first, second


def _check_grids(generated: Sequence[Roll], held_out: Corpus, training: Corpus) -> None:
    written = {roll.meter.grid for roll in generated}
    if written | {training.grid} != {held_out.grid}:
        grids = {
            "generated": ", ".join(map(str, sorted(written))),
            held_out.name: str(held_out.grid),
            f"{training.name} for training": str(training.grid),
        }
        listed = "; ".join(f"{name}: {grid}" for name, grid in grids.items())
        what = f"music on different grids does not compare (frames to a quarter note: {listed})"
        raise DataError(Problem(what, hint="read and generate all of it on one grid"))


def _as_known(rolls: Sequence[Roll], struck: bool) -> list[Roll]:
    return [replace(roll, onset=roll.onset if struck else None) for roll in rolls]
