"""Passages: the stretches of held-out pieces that generated music is set beside, in whole bars."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from zoo.music.meter import Frames, Meter
from zoo.music.roll import Roll

if TYPE_CHECKING:
    from zoo.data import Corpus
    from zoo.data.piece import Piece

LONGEST = 64
"""Quarter notes of the longest passages that are measured: 16 bars of 4/4."""
SHARES = (0.75, 0.5, 0.25, 0.0)
"""Which share of the held-out pieces must have a passage, or the next where meters are too mixed for that."""


def passage_frames(held_out: Corpus) -> int:
    """How long passages can be so that three of four held-out pieces have one, at most 64 quarter notes.

    A passage is whole bars of the piece's own meter. 12 bars of 3/4 are as long as 9 of 4/4, so marches and
    waltzes share a length; of pieces whose meters share none that three of four have, the longest is taken
    that half of them have, or a quarter, or any two. 0 where no two pieces have a passage of one length.
    """
    lengths = [_passage_lengths(piece) for piece in held_out.pieces]
    found, pieces = np.unique(np.concatenate([np.zeros(0, np.int64), *lengths]), return_counts=True)
    short = found <= LONGEST * held_out.grid
    for share in SHARES:
        fits = found[short & (pieces >= max(math.ceil(share * len(lengths)), 2))]
        if len(fits):
            return int(fits[-1])
    return 0


def passage_meters(held_out: Corpus, frames: int, count: int) -> list[tuple[Meter, int]]:
    """In which meters to write `count` passages, and how many in each, to be measured beside held-out ones.

    Each held-out passage of this length counts with the time signature that holds longest in it. The most
    common one comes first; each gets its share of `count`, by largest remainders.
    """
    signatures = Counter(
        piece.meter.cut(_first_bar(piece)).held(frames).most_common(1)[0][0]
        for piece in held_out.pieces
        if frames in _passage_lengths(piece)
    )
    quotas = {signature: count * n / signatures.total() for signature, n in signatures.items()}
    shares = {signature: int(quota) for signature, quota in quotas.items()}
    left = count - sum(shares.values())
    for signature in sorted(quotas, key=lambda one: shares[one] - quotas[one])[:left]:
        shares[signature] += 1
    return [
        (Meter.of(*signature, grid=held_out.grid), shares[signature])
        for signature, _ in signatures.most_common()
        if shares[signature]
    ]


def halves(held_out: Corpus, frames: int, at_most: int) -> tuple[list[Roll], list[Roll]]:
    """Two lots of held-out passages, of every second piece each, in the order of their digests.

    Raises:
        ValueError: fewer than two pieces have a passage of this length in whole bars.
    """
    fit = [index for index, piece in enumerate(held_out.pieces) if frames in _passage_lengths(piece)]
    if len(fit) < 2:
        raise ValueError(f"fewer than two held-out pieces have a passage of {frames} frames in whole bars")
    fit.sort(key=lambda index: held_out.pieces[index].digest)
    rolls = [_passage(held_out, index, frames) for index in fit[: 2 * at_most]]
    return rolls[::2], rolls[1::2]


def _passage_lengths(piece: Piece) -> Frames:
    """Rising, the lengths of passages of whole bars from the first bar line of a piece on."""
    bars = piece.meter.bars(piece.frames).whole(piece.frames)
    return bars.end - bars.line[:1]


def _first_bar(piece: Piece) -> int:
    """The frame of the first bar line."""
    return int(piece.meter.bar_lines(piece.frames)[0])


def _passage(corpus: Corpus, index: int, frames: int) -> Roll:
    whole, first = corpus.roll(index), _first_bar(corpus.pieces[index])
    onset = None if whole.onset is None else whole.onset[first : first + frames]
    return Roll(onset, whole.sounding[first : first + frames], meter=whole.meter.cut(first))
