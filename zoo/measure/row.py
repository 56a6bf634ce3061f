"""Rows of a table: models and floors on the same pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.measure.evaluation import Evaluation

if TYPE_CHECKING:
    from zoo.measure.resemblance import Resemblance
    from zoo.parts.interfaces import Plane


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        label: which model or floor it is.
        plane: which keys it models; None for floors of loudness, which stand beside models of any keys.
        recipe: the words that build it.
        evaluation: what was found.
        changed: live settings that were changed for it, `sampler.paths` -> its value.
        is_floor: whether it is one of the floors.
        resemblance: of what it writes to the pieces; None where nothing was written.
        trained_on: how many of the scored pieces the model was trained on; None of a floor, or where that is
            not known.
    """

    label: str
    plane: Plane | None
    recipe: str
    evaluation: Evaluation
    changed: dict[str, Any] = field(default_factory=dict)
    is_floor: bool = False
    resemblance: Resemblance | None = None
    trained_on: int | None = None

    @property
    def name(self) -> str:
        """What stands in front of it: the label, and what was changed."""
        return " ".join([self.label, *(f"{key}={value}" for key, value in self.changed.items())])


def pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Which rows are set side by side: each model with the floors of its plane, and with the one above.

    Of rows that are one model with a live setting changed, the first stands for all beside the floors.
    """
    above: Row | None = None
    for model in rows:
        if model.is_floor:
            continue
        if above is None or model.label != above.label:
            yield from (
                (model, floor) for floor in rows if floor.is_floor and floor.plane in (None, model.plane)
            )
        if above is not None:
            yield model, above
        above = model


def velocity_rows(rows: Sequence[Row], floors: Sequence[Row]) -> list[Row]:
    """The rows of a table of loudness: its floors, and each model that has a say in it, once."""
    models = {row.label: row for row in reversed(rows) if "velocity" in row.evaluation.terms}
    return [*floors, *reversed(models.values())]
