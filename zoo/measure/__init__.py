"""Measuring: nats per frame, one number for every combination; what is written beside what is unseen."""

from zoo.measure.evaluation import Difference, Evaluation, Term, compare
from zoo.measure.evaluator import evaluate
from zoo.measure.figure import Figure
from zoo.measure.resemblance import Resemblance, resemble

__all__ = ["Difference", "Evaluation", "Figure", "Resemblance", "Term", "compare", "evaluate", "resemble"]
