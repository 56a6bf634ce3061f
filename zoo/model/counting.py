"""Learning without a gradient: by counting over training pieces, by calibration on validation pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import nn

from zoo.data.batches import length_batches
from zoo.model.model import Model
from zoo.model.provenance import Counted
from zoo.parts import SLOTS, Slot
from zoo.parts.interfaces import Part

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.data.fragments import Fragments


def count(model: Model, training: Corpus, trained: Mapping[Slot, Counted] | None = None) -> None:
    """Let every part learn from whole pieces what it learns by counting, such as the residual.

    Args:
        model: the model.
        training: the training pieces of a corpus.
        trained: what becomes of the counts of parts that are trained already; the others forget theirs.
    """
    for number, fragments in enumerate(_whole_pieces(model, training)):
        model.count(fragments, first=number == 0, trained=trained or {})


def calibrate(model: Model, validation: Corpus) -> None:
    """Let every part find how sure it may be, such as the spread of loudness, by pieces it did not learn.

    What an earlier calibration found is forgotten, so it may follow every change of the weights. Without
    a piece nothing is found, and everything stays.
    """
    if all(type(getattr(model, slot)).calibrate is Part.calibrate for slot in SLOTS):
        return
    with at_rest(model):
        for number, fragments in enumerate(_whole_pieces(model, validation)):
            model.calibrate(fragments, first=number == 0)


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards the model is as it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _whole_pieces(model: Model, corpus: Corpus) -> Iterator[Fragments]:
    for indices in length_batches([piece.frames for piece in corpus.pieces]):
        yield corpus.whole(indices).to(model.device)
