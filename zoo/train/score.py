"""The yardstick during training: nats per frame of the validation pieces, for each term."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from zoo.data import Corpus
from zoo.data.batches import length_batches
from zoo.errors import NonFiniteError, Problem
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.parts.interfaces import Kind
from zoo.parts.terms import Term

SCORES: dict[str, Term] = {"codes": "core", "keys": "decoder", "velocity": "velocity"}
"""What each term is judged by; the residual is counted and stays as it is."""


FEWEST = 8
"""Pieces that training is judged by, if there are so many: two songs say little of all others."""


def chosen_pieces(corpus: Corpus, frames: int) -> list[int]:
    """Pieces of together about so many frames, but not too few pieces; always the same ones."""
    chosen: list[int] = []
    for index in sorted(range(len(corpus.pieces)), key=lambda index: corpus.pieces[index].digest):
        if frames > 0 or len(chosen) < FEWEST:
            chosen.append(index)
            frames -= corpus.pieces[index].frames
    return chosen


@dataclass(frozen=True)
class Scores:
    """The scores of a model on the validation pieces; empty without pieces.

    Attributes:
        nats: term -> nats per frame.
        kinds: term -> the kind of its nats, exact, bound or estimate.
    """

    nats: dict[Term, float]
    kinds: dict[Term, Kind] = field(default_factory=dict)


def validate(model: Model, corpus: Corpus, indices: list[int], seed: int) -> Scores:
    """Score some pieces, with the same draws every time.

    Raises:
        NonFiniteError: a piece has no finite probability.
    """
    model.eval()
    total: dict[Term, float] = {}
    kinds: dict[Term, Kind] = {}
    lengths = [corpus.pieces[index].frames for index in indices]
    for number, batch in enumerate(length_batches(lengths)):
        fragments = corpus.whole([indices[place] for place in batch]).to(model.device)
        found = model.log_probs(fragments, generator(seed, "validate", number, device=model.device))
        for name, term in SCORES.items():
            if name in found:
                value = found[name].value.masked_fill(~fragments.mask, 0).cpu().sum(dtype=torch.float64)
                total[term] = total.get(term, 0.0) - float(value)
                kinds[term] = found[name].kind
    nats = {term: value / sum(lengths) for term, value in total.items()}
    problems = [
        Problem(f"the {term} gives the validation pieces {value} nats a frame", hint="lower train.lr")
        for term, value in nats.items()
        if not abs(value) < float("inf")
    ]
    if problems:
        raise NonFiniteError(*problems)
    return Scores(nats, kinds)
