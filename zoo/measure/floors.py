"""The floors: simple counted models that every trained model should beat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo.errors import DataError, Problem
from zoo.measure.evaluator import evaluate
from zoo.measure.row import Row
from zoo.model.build import build
from zoo.model.counting import calibrate, count
from zoo.parts.residual import Plane
from zoo.registry import Registry, parse_recipe

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.model.model import Model

PARTS = "encoder=keys attention=last sampler={} decoder=uniform velocity={}"
"""All parts of a floor: recipes of a user, which may have the name of one, and defaults do not change it."""


def floors(training: Corpus, pieces: Corpus, plane: Plane, registry: Registry) -> list[Row]:
    """Count and score the floors, highest nats first.

    `uniform` gives every key probability 1/2 (88 ln 2 nats), `rates` its relative frequency, and `markov` its
    relative frequency given whether it was on in the previous frame. All share the same residual.

    Args:
        training: pieces to count.
        pieces: pieces to score.
        plane: the plane of keys that is modelled.
        registry: the registry with the parts.

    Raises:
        DataError: there is no training piece, or the music lacks the plane.
    """
    _check_countable(training)
    uniform, rates, markov = (
        _untrained(f"{PARTS.format(sampler, 'none')} encoder.plane={plane}", training, registry)
        for sampler in ("rates", "rates", "markov")
    )
    for model in (rates, markov):
        count(model, training)
    # `uniform` is `rates` without counts, whose smoothing gives 1/2; only its residual must be counted.
    uniform.encoder = rates.encoder
    return [
        Row(name, plane, str(model.recipe), evaluate(model, pieces), is_floor=True)
        for name, model in {"uniform": uniform, "rates": rates, "markov": markov}.items()
    ]


def velocity_floors(training: Corpus, validation: Corpus, pieces: Corpus, registry: Registry) -> list[Row]:
    """Count and score the floors of velocity, in nats per struck note; they do not depend on the plane.

    `mean` predicts the mean loudness of all notes, `key` that of each key, and `previous` that of the notes
    struck last.

    Args:
        training: pieces to count.
        validation: pieces to calibrate the spread of velocities on; without any, the training pieces are
            used, for which it is slightly too small.
        pieces: pieces to score.
        registry: the registry with the parts.

    Raises:
        DataError: there is no training piece, or the music has no velocities.
    """
    _check_countable(training)
    rows = []
    for name in ("mean", "key", "previous"):
        model = _untrained(PARTS.format("rates", name), training, registry)
        count(model, training)
        calibrate(model, validation if validation.pieces else training)
        evaluation = evaluate(model, pieces)
        velocity_only = replace(evaluation, terms={"velocity": evaluation.terms["velocity"]})
        rows.append(Row(f"velocity={name}", None, str(model.recipe), velocity_only, is_floor=True))
    return rows


def _untrained(words: str, training: Corpus, registry: Registry) -> Model:
    return build(parse_recipe(words, registry).on_grid(training.grid))


def _check_countable(training: Corpus) -> None:
    if not training.pieces:
        raise DataError(
            Problem("there is no training piece to count the floors on", training.name, "use more music")
        )
