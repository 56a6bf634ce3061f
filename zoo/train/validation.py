"""Validation: score the model between steps and keep the best weights of each term."""

from __future__ import annotations

from zoo.data import Corpus
from zoo.model.counting import calibrate
from zoo.parts.terms import Term
from zoo.train.learner import Learner, ScoredWeights
from zoo.train.score import Scores, choose_pieces, validate
from zoo.train.settings import TrainSettings


class Validation:
    """Scores a model on the validation pieces.

    Args:
        corpus: the music. Without validation pieces there are no scores, and uncertainty is calibrated on the
            training pieces, for which it is slightly too small.
        settings: how many frames to score.
        seed: seed of random scores.
    """

    def __init__(self, corpus: Corpus, settings: TrainSettings, seed: int) -> None:
        self._pieces, self._seed = corpus.split("valid"), seed
        self._calibration = self._pieces if self._pieces.pieces else corpus.split("train")
        self._indices = choose_pieces(self._pieces, settings.on_grid(corpus.grid).validate_frames)

    def __call__(self, learner: Learner) -> tuple[ScoredWeights, tuple[Term, ...]]:
        """Score the weights of a learner and keep those of each term that improved.

        With averaged weights, both are scored, and the better ones of each term count.

        Returns:
            The weights with their scores, and the terms that improved.
        """
        averaged = None
        if learner.average is not None:
            with learner.average.in_place():
                averaged = self._score(learner)
        scored = self._score(learner)
        scored = scored.better_of(averaged) if averaged else scored
        improved = learner.best.take(scored, learner.step)
        learner.validated = learner.step
        return scored, improved

    def _score(self, learner: Learner) -> ScoredWeights:
        """Calibrate the current weights and score them.

        Only the first rank does so; the others receive its scores.
        """
        model, scores = learner.model, Scores({})
        if learner.ranks.is_first:
            calibrate(model, self._calibration)
            scores = validate(model, self._pieces, self._indices, self._seed)
        scores = learner.ranks.copy(scores)
        return ScoredWeights.of(model, scores.nats, scores.kinds)
