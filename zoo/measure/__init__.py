"""Measurement: nats per frame, comparable across all models, and resemblance to held-out music."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.measure.evaluation import Difference, Evaluation, Term, compare
from zoo.measure.figure import Figure

if TYPE_CHECKING:
    from zoo.measure.evaluator import evaluate
    from zoo.measure.resemblance import Resemblance, resemble

__all__ = ["Difference", "Evaluation", "Figure", "Resemblance", "Term", "compare", "evaluate", "resemble"]


def __getattr__(name: str) -> Any:
    """Import torch only when something is measured; tables of stored results do not need it."""
    if name == "evaluate":
        from zoo.measure.evaluator import evaluate

        return evaluate
    if name in ("Resemblance", "resemble"):
        from zoo.measure import resemblance

        return getattr(resemblance, name)
    raise AttributeError(f"module 'zoo.measure' has no attribute {name!r}")
