"""What a report lets one hear: models that go on from the same opening, beside how it truly goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zoo.measure.copying import copied_stretches
from zoo.model.bundle import Bundle
from zoo.model.generate import generate
from zoo.model.weights import digest
from zoo.music.grid import Pedal
from zoo.music.roll import Roll
from zoo.report.piece import HUMAN, Piece
from zoo.train.record import meter_of, pedal_of

if TYPE_CHECKING:
    from zoo.data import Corpus

COPIED = 8
"""Quarter notes from which on a stretch that a training piece has too is shaded: two bars of 4/4."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Opening:
    """What models go on from.

    Attributes:
        group: the heading of the pieces that begin with it.
        seed: of the models' chance.
        primer: the given bars, by frames to a quarter note and where notes end; None to begin from silence.
        whole: how the piece goes on, from the same bar on; None where that is not known.
        title: of the piece.
        kind: what is said of the piece, such as that no model has seen it.
    """

    group: str
    seed: int = 0
    primer: Callable[[int, Pedal], Roll] | None = None
    whole: Roll | None = None
    title: str = ""
    kind: str = "the piece itself"


def continued(
    name: str, bundle: Bundle, opening: Opening, bars: int, progress: Progress = lambda done, total: None
) -> Piece:
    """The piece that a model writes after an opening.

    Args:
        name: what the model is called.
        bundle: the model and what is known of it.
        opening: what it goes on from.
        bars: how many new bars.
        progress: told how many of the new frames are there.

    Raises:
        UsageError, DataError: as `zoo.model.generate.generate`.
    """
    model = bundle.model
    primer = opening.primer(model.grid, pedal_of(bundle.record)) if opening.primer else None
    given = primer.frames if primer else 0
    meter = primer.meter if primer else meter_of(bundle.record, model.grid)
    frames = meter.after(given, bars) - given
    roll = generate(
        model, frames, 1, opening.seed, primer=primer, progress=progress, meter=None if primer else meter
    )[0]
    identity = digest(model.state_dict())[:12]
    return Piece(name, roll, "written by the model", opening.group, primer=given, model=identity)


def truth(opening: Opening, bars: int) -> Piece | None:
    """The piece that the opening is from, as far as the models write; None where it is not known."""
    if opening.whole is None or opening.primer is None:
        return None
    whole = opening.whole
    given = opening.primer(whole.meter.grid, "keep").frames
    end = min(whole.meter.after(given, bars), whole.frames)
    return Piece(opening.title, whole.cut(0, end), opening.kind, opening.group, primer=given, model=HUMAN)


def silences(count: int, seed: int) -> list[Opening]:
    """Openings from silence, each with a seed of its own."""
    return [Opening(f"From silence, seed {number}", number) for number in range(seed, seed + count)]


def unseen(corpus: Corpus, given: int, bars: int, count: int, seed: int) -> list[Opening]:
    """The openings of some pieces, of which those are preferred that go on as long as the models write.

    Args:
        corpus: pieces that no model has learned from.
        given: how many bars of each are the opening.
        bars: how many the models write after it.
        count: how many pieces; fewer where there are not so many.
        seed: chooses them, and is the models' chance.
    """
    lengths = [piece.meter.bars(piece.frames).count for piece in corpus.pieces]
    order = list(np.random.default_rng(seed).permutation(len(lengths)))
    long = [index for index in order if lengths[index] >= given + bars]
    short = [index for index in order if given < lengths[index] < given + bars]
    return [_opening(corpus, int(index), given, seed) for index in (*long, *short)[:count]]


def _opening(corpus: Corpus, index: int, given: int, seed: int) -> Opening:
    roll, title = corpus.roll(index), corpus.pieces[index].title

    def primer(grid: int, pedal: Pedal) -> Roll:
        return roll.bars(1, given)

    return Opening(f"After the opening of {title}", seed, primer, roll, title, "not seen in training")


def shaded(pieces: Sequence[Piece], training: Corpus) -> list[Piece]:
    """The pieces with the stretches marked that a training piece has too, in whatever key.

    A stretch counts from `COPIED` quarter notes of sound on: shorter ones are common property.
    """
    rolls = [piece.roll for piece in pieces]
    struck = "onset" in training.planes and all(roll.onset is not None for roll in rolls)
    known = [replace(roll, onset=roll.onset if struck else None) for roll in rolls]
    music = (training.roll(index) for index in range(len(training.pieces)))
    found = copied_stretches(known, music, with_onsets=struck, at_least=COPIED * training.grid)
    return [replace(piece, copied=tuple(copied)) for piece, copied in zip(pieces, found, strict=True)]
