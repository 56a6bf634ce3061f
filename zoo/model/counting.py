"""Learning by counting: every part sees the training pieces once, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.data.batches import length_batches
from zoo.model.model import Model

if TYPE_CHECKING:
    from zoo.data import Corpus


def count(model: Model, training: Corpus) -> None:
    """Let every part learn from whole pieces what it learns by counting, such as the residual."""
    for indices in length_batches([piece.frames for piece in training.pieces]):
        model.count(training.whole(indices).to(model.device))
