"""Learning without a gradient: by counting over training pieces, by calibration on validation pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import nn

from zoo.data.batches import length_batches
from zoo.model.model import Model
from zoo.parts import SLOTS
from zoo.parts.interfaces import Part

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.data.fragments import Fragments


def count(model: Model, training: Corpus) -> None:
    """Let every part learn from whole pieces what it learns by counting, such as the residual.

    What was counted before is forgotten by the parts that count now.
    """
    for number, fragments in enumerate(_whole_pieces(model, training)):
        model.count(fragments, first=number == 0)


def recount(model: Model, training: Corpus, validation: Corpus, *, again: bool = False) -> None:
    """Count for a model that was trained before, on music of which there may be little.

    The residual is counted on this music, as it was before, or over both, whichever gives the validation
    pieces the fewest nats: a few songs say less of the lengths of notes than hundreds of the same kind, and
    more than any number of chorales. Other parts count this music alone.

    Args:
        model: the model.
        training: the training pieces.
        validation: the validation pieces.
        again: whether the residual has counted these pieces before, so that they are not added to it.
    """
    residual = model.encoder.residual
    before = residual.counts.clone()
    count(model, training)
    new = residual.counts.clone()
    nats = []
    candidates = (new, before) if again else (new, before, before + new)
    for counts in candidates:
        residual.counts.copy_(counts)
        nats.append(_residual_nats(model, validation))
    residual.counts.copy_(candidates[nats.index(min(nats))])


def _residual_nats(model: Model, corpus: Corpus) -> float:
    """Nats of the residual over all pieces; 0 where there is none."""
    total = 0.0
    for fragments in _whole_pieces(model, corpus):
        found = model.residual_log_prob(fragments)
        if found is not None:
            total -= float(found.masked_fill(~fragments.mask, 0).double().sum())
    return total


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
