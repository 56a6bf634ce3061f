"""Rows of a table: models and floors, evaluated on the same pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.measure.evaluation import Evaluation

if TYPE_CHECKING:
    from zoo.measure.resemblance import Resemblance
    from zoo.parts.residual import Plane


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        label: name of the model or floor.
        plane: the plane that it models; None for floors of velocity, which are compared with all models.
        recipe: the recipe as text.
        evaluation: the scores.
        changed: live settings that were changed, such as {"sampler.paths": 100}.
        is_floor: whether it is a floor.
        resemblance: resemblance of its generated passages to the pieces; None if nothing was generated.
        trained_on: number of scored pieces that the model was trained on; None for a floor, or if unknown.
        chosen_on: number of scored pieces that are validation pieces of its training.
        model: digest of the weights of the model; None for a floor and for several models.
    """

    label: str
    plane: Plane | None
    recipe: str
    evaluation: Evaluation
    changed: dict[str, Any] = field(default_factory=dict)
    is_floor: bool = False
    resemblance: Resemblance | None = None
    trained_on: int | None = None
    chosen_on: int = 0
    model: str | None = None

    @property
    def name(self) -> str:
        """The label, followed by the changed settings."""
        return " ".join([self.label, *(f"{key}={value}" for key, value in self.changed.items())])


def pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """The pairs of rows to compare: each model with the floors of its plane, and with the model above it.

    Of several rows of the same model, with different live settings, only the first is compared with floors.
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
    """The rows of the table of velocities: its floors, and each model that predicts velocities, once."""
    models = {row.label: row for row in reversed(rows) if "velocity" in row.evaluation.terms}
    return [*floors, *reversed(models.values())]
