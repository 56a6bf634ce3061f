"""Evaluations as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from zoo.files import encodable
from zoo.measure.evaluation import Difference, Evaluation, compare
from zoo.measure.figure import Figure
from zoo.measure.row import Row, pairs, velocity_rows
from zoo.parts import Slot

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.data.split import Split

PARTS: dict[str, list[Slot]] = {
    "codes": ["attention", "sampler"],
    "keys": ["decoder"],
    "residual": ["encoder"],
    "velocity": ["velocity"],
}
"""The slots that determine each term."""


def evaluations_to_json(
    rows: Sequence[Row],
    corpus: Corpus,
    split: Split | Literal["all"],
    seed: int,
    velocity_floors: Sequence[Row] = (),
) -> dict[str, Any]:
    """All rows on a split of the corpus and their paired differences, followed by those of velocities."""
    pieces = corpus.split(split)
    loudness = velocity_rows(rows, velocity_floors)
    return {
        "data": {
            "name": encodable(pieces.name),
            "digest": corpus.digest,
            "grid": corpus.grid,
            "split": split,
            "pieces": len(pieces.pieces),
            "frames": pieces.frames,
            "planes": sorted(pieces.planes),
        },
        "seed": seed,
        "rows": [_row(row) for row in rows],
        "differences": _differences(rows),
        "velocity": {
            "unit": "nats per struck note",
            "rows": [_velocity(row) for row in loudness],
            "differences": _differences(loudness, "velocity"),
        },
    }


def _differences(rows: Sequence[Row], *terms: str) -> list[dict[str, Any]]:
    return [
        {
            "first": encodable(first.name),
            "second": encodable(second.name),
            **difference_to_json(compare(first.evaluation, second.evaluation, *terms)),
        }
        for first, second in pairs(rows)
    ]


def _row(row: Row) -> dict[str, Any]:
    evaluation = row.evaluation
    return {
        "name": encodable(row.name),
        "floor": row.is_floor,
        "recipe": row.recipe,
        "model": row.model,
        "changed": row.changed,
        "plane": row.plane,
        "trained_on": row.trained_on,
        "chosen_on": row.chosen_on,
        "unit": "nats per frame",
        "full_score": evaluation.is_full,
        "score": figure_to_json(evaluation.score()),
        "terms": {
            name: {"of": PARTS[name], **figure_to_json(evaluation.figure(name))} for name in evaluation.terms
        },
        "shares": {
            remark: figure_to_json(share)
            for remark in evaluation.remarks
            if (share := evaluation.share(remark))
        },
        "resemblance": None if row.resemblance is None else row.resemblance.to_json(),
        "pieces": [_piece(evaluation, number) for number in range(len(evaluation.titles))],
    }


def _velocity(row: Row) -> dict[str, Any]:
    return {
        "name": encodable(row.name),
        "floor": row.is_floor,
        "recipe": row.recipe,
        **figure_to_json(row.evaluation.figure("velocity")),
    }


def _piece(evaluation: Evaluation, number: int) -> dict[str, Any]:
    return {
        "title": encodable(evaluation.titles[number]),
        "digest": evaluation.digests[number],
        "frames": int(evaluation.frames[number]),
        "struck": None if evaluation.struck is None else int(evaluation.struck[number]),
        "nats": {name: float(term.nats[number]) for name, term in evaluation.terms.items()},
        "standard_errors": {
            name: float(term.variance[number] ** 0.5)
            for name, term in evaluation.terms.items()
            if term.variance is not None
        },
        "frames_with": {remark: int(frames[number]) for remark, frames in evaluation.remarks.items()},
    }


def figure_to_json(figure: Figure) -> dict[str, Any]:
    """A figure as JSON."""
    return {
        "value": figure.value,
        "kind": figure.kind,
        "interval": None if figure.interval is None else list(figure.interval),
        "standard_error": figure.error,
        "count": figure.count,
        "pieces": figure.pieces,
        "families": figure.families,
    }


def difference_to_json(difference: Difference) -> dict[str, Any]:
    """A difference as JSON."""
    return {
        "value": difference.value,
        "mark": difference.mark,
        "interval": None if difference.interval is None else list(difference.interval),
        "kinds": list(difference.kinds),
        "pieces": difference.pieces,
        "chance": difference.p_value,
        "clear": difference.is_clear,
        "verdict": difference.verdict,
    }
