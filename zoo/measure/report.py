"""Evaluations for programs: everything that is known of a number, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

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
"""Whose doing each term is."""


def report(
    rows: Sequence[Row],
    corpus: Corpus,
    split: Split | Literal["all"],
    seed: int,
    velocity_floors: Sequence[Row] = (),
) -> dict[str, Any]:
    """All rows and their paired differences, on pieces of one split of a corpus; then those of loudness."""
    pieces = corpus.split(split)
    loudness = velocity_rows(rows, velocity_floors)
    return {
        "data": {
            "name": pieces.name,
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
            "first": first.name,
            "second": second.name,
            **difference_facts(compare(first.evaluation, second.evaluation, *terms)),
        }
        for first, second in pairs(rows)
    ]


def _row(row: Row) -> dict[str, Any]:
    found = row.evaluation
    return {
        "name": row.name,
        "floor": row.is_floor,
        "recipe": row.recipe,
        "changed": row.changed,
        "plane": row.plane,
        "trained_on": row.trained_on,
        "unit": "nats per frame",
        "full_score": found.is_full,
        "score": figure_facts(found.score()),
        "terms": {name: {"of": PARTS[name], **figure_facts(found.figure(name))} for name in found.terms},
        "shares": {remark: figure_facts(share) for remark in found.remarks if (share := found.share(remark))},
        "resemblance": None if row.resemblance is None else row.resemblance.to_json(),
        "pieces": [_piece(found, number) for number in range(len(found.titles))],
    }


def _velocity(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "floor": row.is_floor,
        "recipe": row.recipe,
        **figure_facts(row.evaluation.figure("velocity")),
    }


def _piece(found: Evaluation, number: int) -> dict[str, Any]:
    return {
        "title": found.titles[number],
        "digest": found.digests[number],
        "frames": int(found.frames[number]),
        "struck": None if found.struck is None else int(found.struck[number]),
        "nats": {name: float(term.nats[number]) for name, term in found.terms.items()},
        "standard_errors": {
            name: float(term.variance[number] ** 0.5)
            for name, term in found.terms.items()
            if term.variance is not None
        },
        "frames_with": {remark: int(frames[number]) for remark, frames in found.remarks.items()},
    }


def figure_facts(figure: Figure) -> dict[str, Any]:
    """All that is known of a figure."""
    return {
        "value": figure.value,
        "kind": figure.kind,
        "interval": None if figure.interval is None else list(figure.interval),
        "standard_error": figure.error,
        "count": figure.count,
        "pieces": figure.pieces,
        "families": figure.families,
    }


def difference_facts(difference: Difference) -> dict[str, Any]:
    """All that is known of a difference."""
    return {
        "value": difference.value,
        "interval": None if difference.interval is None else list(difference.interval),
        "kinds": list(difference.kinds),
        "pieces": difference.pieces,
        "chance": difference.chance,
        "clear": difference.is_clear,
        "verdict": difference.verdict,
    }
