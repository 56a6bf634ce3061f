"""Learning without gradients: counting on training pieces, and calibration on validation pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor, nn

from zoo.data.batches import length_batches
from zoo.model.model import Model
from zoo.parts import SLOTS
from zoo.parts.interfaces import Part

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.data.fragments import Fragments


def count(model: Model, training: Corpus) -> None:
    """Let every part that learns by counting, such as the residual, count whole training pieces.

    The parts that count discard their earlier counts.
    """
    for number, fragments in enumerate(_whole_pieces(model, training)):
        model.count(fragments, first=number == 0)


def recount(model: Model, training: Corpus, validation: Corpus, *, again: bool = False) -> None:
    """Count for a model that was trained before and is fine-tuned on music that may be scarce.

    The counts of the residual are those of this music, the earlier ones, or the sum of both, whichever gives
    the validation pieces the fewest nats: a few songs tell less about note lengths than hundreds of similar
    songs, but more than any number of chorales. Without validation pieces they are the sum, or the earlier
    ones if `again`. Other parts count only this music.

    Args:
        model: the model.
        training: the training pieces.
        validation: the validation pieces.
        again: whether the residual has counted these pieces before, so that the sum would count them twice.
    """
    residual = model.encoder.residual
    before, both = _copy(residual), []
    if not again:
        for fragments in _whole_pieces(model, training):
            model.count(fragments, first=False)
        both.append(_copy(residual))
    count(model, training)  # resets what the other parts have just counted
    candidates = [_copy(residual), before, *both]
    scored = []
    for state in candidates:
        residual.load_state_dict(state)
        nats = _residual_nats(model, validation)
        scored += [] if nats is None else [(nats, state)]
    best = min(scored, key=lambda each: each[0])[1] if scored else candidates[-1]
    residual.load_state_dict(best)


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def _residual_nats(model: Model, corpus: Corpus) -> float | None:
    """Nats of the residual over all pieces; None if there are none, or the music has no onsets."""
    nats = [
        -float(log_prob.masked_fill(~fragments.mask, 0).double().sum())
        for fragments in _whole_pieces(model, corpus)
        if (log_prob := model.residual_log_prob(fragments)) is not None
    ]
    return sum(nats) if nats else None


def calibrate(model: Model, pieces: Corpus) -> None:
    """Let every part estimate its uncertainty, such as the spread of loudness, on validation pieces.

    Parts discard their earlier calibration, so it can be repeated whenever the weights change. Without pieces
    nothing changes.
    """
    if all(type(getattr(model, slot)).calibrate is Part.calibrate for slot in SLOTS):
        return
    with evaluation_mode(model):
        for number, fragments in enumerate(_whole_pieces(model, pieces)):
            model.calibrate(fragments, first=number == 0)


@contextmanager
def evaluation_mode(*models: nn.Module) -> Iterator[None]:
    """Put models in evaluation mode in the block, and restore their modes afterwards."""
    before = [model.training for model in models]
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for model, training in zip(models, before, strict=True):
            model.train(training)


def _whole_pieces(model: Model, corpus: Corpus) -> Iterator[Fragments]:
    for indices in length_batches([piece.frames for piece in corpus.pieces]):
        yield corpus.whole(indices).to(model.device)
