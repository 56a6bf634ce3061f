"""A check of submitted models: the score of a frame must not depend on what follows it.

The contract checks look for this in at most 150 frames; a mask of a few hundred frames needs whole pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from zoo.model.counting import evaluation_mode
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.model.threads import computing

if TYPE_CHECKING:
    from zoo.data import Corpus

PIECES = 3
"""Number of pieces that are looked at: the longest ones."""
TOLERANCE = 1e-3
"""Largest difference of a frame in nats; sums in another order differ by less."""


def terms_that_hear_ahead(model: Model, corpus: Corpus) -> Iterator[tuple[str, str]]:
    """The exact terms whose scores in the first half of a piece change without the second half.

    Bounds and estimates draw other random numbers for music of another length, and are not compared.

    Yields:
        title of the piece, and name of the term.
    """
    longest = sorted(range(len(corpus.pieces)), key=lambda index: -corpus.pieces[index].frames)[:PIECES]
    with evaluation_mode(model), computing(model), torch.no_grad():
        for index in longest:
            half = max(corpus.pieces[index].frames // 2, 1)
            whole, first = (
                model.log_probs(fragments.to(model.device), generator(0, "prefixes", device=model.device))
                for fragments in (corpus.whole([index]), corpus.fragments([[index, 0]], half, past=0))
            )
            for name, log_prob in first.items():
                difference = (whole[name].value[:, :half] - log_prob.value).abs().max()
                if log_prob.kind == "exact" and not difference <= TOLERANCE:
                    yield corpus.pieces[index].title, name
