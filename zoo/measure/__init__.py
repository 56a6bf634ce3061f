"""Measuring: nats per frame, one number for every combination; what is written beside what is unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.measure.evaluation import Difference, Evaluation, Term, compare
from zoo.measure.figure import Figure

if TYPE_CHECKING:
    from zoo.measure.evaluator import evaluate
    from zoo.measure.resemblance import Resemblance, resemble

__all__ = ["Difference", "Evaluation", "Figure", "Resemblance", "Term", "compare", "evaluate", "resemble"]


def __getattr__(name: str) -> Any:
    """Import torch only when something is measured: tables are made from numbers that are stored."""
    if name == "evaluate":
        from zoo.measure.evaluator import evaluate

        return evaluate
    if name in ("Resemblance", "resemble"):
        from zoo.measure import resemblance

        return getattr(resemblance, name)
    raise AttributeError(f"module 'zoo.measure' has no attribute {name!r}")
