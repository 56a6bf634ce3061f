"""Passages of whole bars from held-out pieces, to be compared with generated music."""

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
"""Maximum length of a passage in quarter notes: 16 bars of 4/4."""
SHARES = (0.75, 0.5, 0.25, 0.0)
"""Fraction of the held-out pieces that must have a passage; the next is tried if meters are too mixed."""


def passage_frames(held_out: Corpus) -> int:
    """The length of passages in frames: the longest that three quarters of the held-out pieces have.

    A passage consists of whole bars in the meter of its piece, at most 64 quarter notes. 12 bars of 3/4 are
    as long as 9 of 4/4, so marches and waltzes have lengths in common. If no length is shared by three
    quarters of the pieces, half, a quarter, or any two pieces suffice; 0 if no two pieces share a length.
    Pieces of one family count as one.
    """
    families: dict[int, list[Frames]] = {}
    for piece in held_out.pieces:
        families.setdefault(piece.family, []).append(_passage_lengths(piece))
    lengths = [np.unique(np.concatenate(family)) for family in families.values()]
    distinct, pieces = np.unique(np.concatenate([np.zeros(0, np.int64), *lengths]), return_counts=True)
    is_allowed = distinct <= LONGEST * held_out.grid
    for share in SHARES:
        shared = distinct[is_allowed & (pieces >= max(math.ceil(share * len(lengths)), 2))]
        if len(shared):
            return int(shared[-1])
    return 0


def passage_meters(held_out: Corpus, frames: int, count: int) -> list[tuple[Meter, int]]:
    """Distribute `count` passages to be generated over the meters of the held-out ones, most common first.

    Each held-out passage of this length counts with its longest time signature. The counts are proportional,
    rounded by largest remainders.
    """
    signatures = Counter(
        piece.meter.cut(_first_bar(piece)).durations(frames).most_common(1)[0][0]
        for piece in (held_out.pieces[index] for index in _with_passage(held_out, frames))
    )
    quotas = {signature: count * n / signatures.total() for signature, n in signatures.items()}
    shares = {signature: int(quota) for signature, quota in quotas.items()}
    remaining = count - sum(shares.values())
    by_remainder = sorted(quotas, key=lambda signature: shares[signature] - quotas[signature])
    for signature in by_remainder[:remaining]:
        shares[signature] += 1
    return [
        (Meter.of(*signature, grid=held_out.grid), shares[signature])
        for signature, _ in signatures.most_common()
        if shares[signature]
    ]


def halves(held_out: Corpus, frames: int, at_most: int) -> tuple[list[Roll], list[Roll]]:
    """Two halves of the held-out passages, alternating in the order of their digests.

    Raises:
        ValueError: the pieces with a passage of this length in whole bars are of fewer than two families.
    """
    fit = _with_passage(held_out, frames)
    if len(fit) < 2:
        raise ValueError(
            f"held-out pieces of fewer than two families have a passage of {frames} frames in whole bars"
        )
    rolls = [_passage(held_out, index, frames) for index in fit[: 2 * at_most]]
    return rolls[::2], rolls[1::2]


def _with_passage(held_out: Corpus, frames: int) -> list[int]:
    """The pieces with a passage of this length, in the order of their digests, one of each family.

    Versions of one piece are not independent: with several of them, equal music would be called different.
    """
    fit = [index for index, piece in enumerate(held_out.pieces) if frames in _passage_lengths(piece)]
    fit.sort(key=lambda index: held_out.pieces[index].digest)
    first_of_family: dict[int, int] = {}
    for index in fit:
        first_of_family.setdefault(held_out.pieces[index].family, index)
    return list(first_of_family.values())


def _passage_lengths(piece: Piece) -> Frames:
    """The lengths of all passages of whole bars from the first bar line of a piece, increasing."""
    bars = piece.meter.bars(piece.frames).whole(piece.frames)
    return bars.end - bars.line[:1]


def _first_bar(piece: Piece) -> int:
    """The frame of the first bar line."""
    return int(piece.meter.bar_lines(piece.frames)[0])


def _passage(corpus: Corpus, index: int, frames: int) -> Roll:
    whole, first = corpus.roll(index), _first_bar(corpus.pieces[index])
    onset = None if whole.onset is None else whole.onset[first : first + frames]
    return Roll(onset, whole.sounding[first : first + frames], meter=whole.meter.cut(first))
