"""Validation: nats per frame of the validation pieces for each term."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from zoo.data import Corpus
from zoo.data.batches import length_batches
from zoo.errors import NonFiniteError, Problem
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.parts.kinds import Kind
from zoo.parts.terms import Term

SCORES: dict[str, Term] = {"codes": "core", "keys": "decoder", "velocity": "velocity"}
"""The score by which each term is validated; the residual is counted, so training does not change it."""


FEWEST = 8
"""Minimum number of validation pieces, if available; one or two pieces are not representative."""


def choose_pieces(corpus: Corpus, frames: int) -> list[int]:
    """The indices of validation pieces with at least this many frames in total, and at least `FEWEST` pieces.

    Pieces are taken in the order of their digests, so the choice is the same in each session of a run.
    """
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
        nats: nats per frame of each term.
        kinds: the kind of the nats of each term: exact, bound or estimate.
    """

    nats: dict[Term, float]
    kinds: dict[Term, Kind] = field(default_factory=dict)


def validate(model: Model, corpus: Corpus, indices: list[int], seed: int) -> Scores:
    """Score some pieces.

    The random draws are the same in every validation, so that scores differ by the weights alone.

    Raises:
        NonFiniteError: a score is not finite.
    """
    model.eval()
    total: dict[Term, float] = {}
    kinds: dict[Term, Kind] = {}
    lengths = [corpus.pieces[index].frames for index in indices]
    for number, batch in enumerate(length_batches(lengths)):
        fragments = corpus.whole([indices[position] for position in batch]).to(model.device)
        log_probs = model.log_probs(fragments, generator(seed, "validate", number, device=model.device))
        for name, term in SCORES.items():
            if name in log_probs:
                value = log_probs[name].value.masked_fill(~fragments.mask, 0).cpu().sum(dtype=torch.float64)
                total[term] = total.get(term, 0.0) - float(value)
                kinds[term] = log_probs[name].kind
    nats = {term: value / sum(lengths) for term, value in total.items()}
    problems = [
        Problem(f"the validation score of the {term} is {value} nats per frame", hint="lower train.lr")
        for term, value in nats.items()
        if not abs(value) < float("inf")
    ]
    if problems:
        raise NonFiniteError(*problems)
    return Scores(nats, kinds)
