"""The score of a trained model on its validation pieces, for the record in its bundle."""

from __future__ import annotations

from typing import Any

from zoo.data import Corpus
from zoo.measure.evaluator import evaluate
from zoo.model.model import Model
from zoo.train.score import choose_pieces
from zoo.train.settings import TrainSettings


def with_score(
    record: dict[str, Any], model: Model, corpus: Corpus, settings: TrainSettings, seed: int
) -> dict[str, Any]:
    """A training record with the score of the model added to its `scores`.

    The score is that of `zoo evaluate`, on the pieces that training was validated on; the nats of each term
    in the record omit the residual and have no interval.

    Args:
        record: from `zoo.train.record.record`.
        model: the trained model.
        corpus: what it was trained on.
        settings: how it was trained.
        seed: the seed of its training.

    Returns:
        the record; unchanged without validation pieces.
    """
    pieces = validation_pieces(corpus, settings)
    if not pieces.pieces:
        return record
    evaluation = evaluate(model, pieces, seed=seed)
    figure = evaluation.score()
    score = {
        "nats": figure.value,
        "kind": figure.kind,
        "interval": None if figure.interval is None else list(figure.interval),
        "pieces": figure.pieces,
        "full_score": evaluation.is_full,
    }
    return {**record, "scores": {**record["scores"], "validation_score": score}}


def validation_pieces(corpus: Corpus, settings: TrainSettings) -> Corpus:
    """The pieces that training is validated on, in the order of the corpus.

    In this order `zoo evaluate` draws its random numbers.
    """
    pieces = corpus.split("valid")
    indices = choose_pieces(pieces, settings.on_grid(pieces.grid).validate_frames)
    return pieces.take(sorted(indices))
