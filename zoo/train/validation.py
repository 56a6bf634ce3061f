"""Validation: scores the model between steps and keeps the best weights of each term."""

from __future__ import annotations

from zoo.data import Corpus
from zoo.model.counting import calibrate
from zoo.parts.terms import Term
from zoo.train.learner import Judged, Learner
from zoo.train.score import Scores, chosen_pieces, validate
from zoo.train.settings import TrainSettings


class Validation:
    """Scores a model on the validation pieces.

    Args:
        corpus: the validation pieces; there may be none.
        settings: how much of them is scored.
        seed: the seed of random numbers in scores.
    """

    def __init__(self, corpus: Corpus, settings: TrainSettings, seed: int) -> None:
        self._corpus, self._seed = corpus, seed
        self._indices = chosen_pieces(corpus, settings.on_grid(corpus.grid).validate_frames)

    def __call__(self, learner: Learner) -> tuple[Judged, tuple[Term, ...]]:
        """Score the weights of a learner and keep those of each term that improved.

        Where weights are averaged, each term is scored twice and counts as the better of both.

        Returns:
            the weights with their scores, and the terms that improved.
        """
        averaged = None
        if learner.average is not None:
            with learner.average.in_place():
                averaged = self._judge(learner)
        judged = self._judge(learner)
        judged = judged.or_averaged(averaged) if averaged else judged
        improved = learner.best.take(judged, learner.step)
        learner.validated = learner.step
        return judged, improved

    def _judge(self, learner: Learner) -> Judged:
        """The weights and their score. They are calibrated on all validation pieces first, and kept so.

        The first of several ranks does so, and the others receive the score.
        """
        model, scores = learner.model, Scores({})
        if learner.ranks.is_first:
            calibrate(model, self._corpus)
            scores = validate(model, self._corpus, self._indices, self._seed)
        scores = learner.ranks.copy(scores)
        return Judged.of(model, scores.nats, scores.kinds)
