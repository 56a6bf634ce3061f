"""The floors: rows that a model must beat to mean anything, counted on the spot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo.errors import DataError, Problem
from zoo.measure.evaluator import evaluate
from zoo.measure.row import Row
from zoo.model.build import build
from zoo.model.counting import calibrate, count
from zoo.parts.interfaces import Plane
from zoo.registry import Registry, parse_recipe

if TYPE_CHECKING:
    from zoo.data import Corpus


def floors(training: Corpus, pieces: Corpus, plane: Plane, registry: Registry) -> list[Row]:
    """The floors, the highest first, each scored by the evaluator of all other rows.

    `uniform` takes every key for a fair coin, 88 ln 2 nats; `rates` knows how often each key is on, and
    `markov` how often after it was on, or off, a frame ago. All restore the score by the same residual.

    Args:
        training: pieces to count.
        pieces: pieces to score.
        plane: which keys are modelled.
        registry: where the recipes are found.

    Raises:
        DataError: there is nothing to count, or the music does not hold the plane.
    """
    _check_countable(training)
    uniform, rates, markov = (
        build(parse_recipe([name, f"encoder.plane={plane}"], registry).on_grid(training.grid))
        for name in ("rates", "rates", "markov")
    )
    for model in (rates, markov):
        count(model, training)
    # Uncounted rates are fair coins.
    uniform.encoder = rates.encoder
    return [
        Row(name, plane, str(model.recipe), evaluate(model, pieces), is_floor=True)
        for name, model in {"uniform": uniform, "rates": rates, "markov": markov}.items()
    ]


def velocity_floors(training: Corpus, validation: Corpus, pieces: Corpus, registry: Registry) -> list[Row]:
    """The floors of loudness, in nats per struck note; what the keys are makes no difference to them.

    `mean` expects the mean loudness of all notes, `key` that of each key, `previous` that of the notes
    struck last.

    Args:
        training: pieces to count.
        validation: pieces that tell how far notes scatter around what is expected.
        pieces: pieces to score.
        registry: where the parts are found.

    Raises:
        DataError: there are no training pieces, or the music has no velocities.
    """
    _check_countable(training)
    rows = []
    for name in ("mean", "key", "previous"):
        model = build(parse_recipe(["rates", f"velocity={name}"], registry).on_grid(training.grid))
        count(model, training)
        calibrate(model, validation)
        found = evaluate(model, pieces)
        alone = replace(found, terms={"velocity": found.terms["velocity"]})
        rows.append(Row(f"velocity={name}", None, str(model.recipe), alone, is_floor=True))
    return rows


def _check_countable(training: Corpus) -> None:
    if not training.pieces:
        raise DataError(
            Problem("there is no training piece to count the floors on", training.name, "use more music")
        )
