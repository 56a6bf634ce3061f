"""The Listen section: models that continue the same opening, next to the original piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zoo.measure.copying import copied_stretches
from zoo.model.bundle import Bundle
from zoo.model.weights import model_digest
from zoo.music.grid import Pedal
from zoo.music.roll import Roll
from zoo.progress import Progress
from zoo.report.piece import HUMAN, ListeningPiece
from zoo.train.compose import GenerationRequest, compose
from zoo.train.record import pedal_of

if TYPE_CHECKING:
    from zoo.data import Corpus

SHORTEST_COPY = 8
"""Minimum length of a marked copy in quarter notes of sound: two bars of 4/4. Shorter ones are common."""


@dataclass(frozen=True)
class Opening:
    """An opening that models continue.

    Attributes:
        group: heading of the pieces that start with it.
        seed: seed of the generation.
        primer: returns the opening bars for a grid (frames per quarter note) and a pedal mode; None to start
            from silence.
        original: the piece that the opening is from, starting at the same bar; None if unknown.
        title: title of the original.
        kind: description of the original, such as that it was not seen in training.
        temperature: temperature of the generation.
    """

    group: str
    seed: int = 0
    primer: Callable[[int, Pedal], Roll] | None = None
    original: Roll | None = None
    title: str = ""
    kind: str = "the piece itself"
    temperature: float = 1.0


def generated_piece(
    name: str, bundle: Bundle, opening: Opening, bars: int, progress: Progress = lambda done, total: None
) -> ListeningPiece:
    """Let a model continue an opening.

    Args:
        name: display name of the model, to which a temperature is added.
        bundle: the model and its record.
        opening: what it continues.
        bars: number of new bars.
        progress: called with the number of new frames so far and the total.

    Raises:
        UsageError, DataError: as `zoo.train.compose.compose`.
    """
    model = bundle.model
    primer = opening.primer(model.grid, pedal_of(bundle.record)) if opening.primer else None
    request = GenerationRequest(bars=bars, seed=opening.seed, temperature=opening.temperature, primer=primer)
    roll = compose(model, bundle.record, request, progress)[0]
    primer_frames = primer.frames if primer else 0
    if opening.temperature != 1:  # votes must not take it for the same model at another temperature
        name = f"{name} at temperature {opening.temperature:g}"
    return ListeningPiece(
        name, roll, "generated", opening.group, primer=primer_frames, model=model_digest(model)
    )


def original_piece(opening: Opening, bars: int) -> ListeningPiece | None:
    """The original piece, cut to the length of the generated ones; None if it is unknown."""
    if opening.original is None or opening.primer is None:
        return None
    roll = opening.original
    primer_frames = opening.primer(roll.meter.grid, "keep").frames
    end = min(roll.meter.after(primer_frames, bars), roll.frames)
    return ListeningPiece(
        opening.title, roll.cut(0, end), opening.kind, opening.group, primer=primer_frames, model=HUMAN
    )


def silent_openings(count: int, seed: int) -> list[Opening]:
    """Openings that start from silence, each with its own seed."""
    return [Opening(f"From silence, seed {number}", number) for number in range(seed, seed + count)]


def piece_openings(
    corpus: Corpus,
    primer_bars: int,
    bars: int,
    count: int,
    seed: int,
    trained_on: Callable[[Corpus], int | None],
    chosen_on: Callable[[Corpus], int],
) -> list[Opening]:
    """Openings of randomly chosen pieces; pieces at least as long as the generated ones are preferred.

    Args:
        corpus: the pieces.
        primer_bars: number of bars of each opening.
        bars: number of bars that the models generate after it.
        count: number of pieces; the result is shorter if the corpus has too few.
        seed: seed of the choice and of the generation.
        trained_on: how many of some pieces the models were trained on; None if it is unknown.
        chosen_on: how many of some pieces are validation pieces of their training.
    """
    lengths = [piece.meter.bars(piece.frames).count for piece in corpus.pieces]
    order = list(np.random.default_rng(seed).permutation(len(lengths)))
    long = [index for index in order if lengths[index] >= primer_bars + bars]
    short = [index for index in order if primer_bars < lengths[index] < primer_bars + bars]
    chosen = [int(index) for index in (*long, *short)[:count]]
    kinds = {0: "not seen in training", 1: "seen in training", None: "possibly seen in training"}

    def kind(piece: Corpus) -> str:
        seen = trained_on(piece)
        return "a validation piece of the training" if not seen and chosen_on(piece) else kinds[seen]

    return [_opening(corpus, index, primer_bars, seed, kind(corpus.take([index]))) for index in chosen]


def _opening(corpus: Corpus, index: int, primer_bars: int, seed: int, kind: str) -> Opening:
    roll, title = corpus.roll(index), corpus.pieces[index].title

    def primer(grid: int, pedal: Pedal) -> Roll:
        return roll.bars(1, primer_bars)

    return Opening(f"After the opening of {title}", seed, primer, roll, title, kind)


def mark_copies(pieces: Sequence[ListeningPiece], training: Corpus) -> list[ListeningPiece]:
    """The same pieces, with the stretches marked that also occur in a training piece, in any key.

    Only stretches with at least `SHORTEST_COPY` quarter notes of sound are marked.
    """
    rolls = [piece.roll for piece in pieces]
    with_onsets = "onset" in training.planes and all(roll.onset is not None for roll in rolls)
    comparable = [replace(roll, onset=roll.onset if with_onsets else None) for roll in rolls]
    training_rolls = (training.roll(index) for index in range(len(training.pieces)))
    stretches = copied_stretches(
        comparable, training_rolls, with_onsets=with_onsets, at_least=SHORTEST_COPY * training.grid
    )
    return [replace(piece, copied=tuple(copied)) for piece, copied in zip(pieces, stretches, strict=True)]
