"""Measuring: nats per frame, one number for every combination, with what may be said of it."""

from zoo.measure.evaluation import Difference, Evaluation, Term, compare
from zoo.measure.evaluator import evaluate
from zoo.measure.figure import Figure

__all__ = ["Difference", "Evaluation", "Figure", "Term", "compare", "evaluate"]
