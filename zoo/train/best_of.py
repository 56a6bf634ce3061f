"""Choose the candidates that are most typical of the training music."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from zoo.data.fragments import Fragments
from zoo.errors import Problem, UsageError
from zoo.model.counting import evaluation_mode
from zoo.model.model import Model
from zoo.model.random import generator
from zoo.model.threads import Threads, computing
from zoo.music.roll import Roll
from zoo.parts.clock import Clock
from zoo.parts.terms import OF_SCORE

Piece = TypeVar("Piece")


def typical_nats(record: Mapping[str, Any]) -> float:
    """The validation score in nats per frame, from the training record of a model.

    Raises:
        UsageError: the record has no validation score.
    """
    scores = record.get("scores", {}).get("validation", {})
    if not all(term in scores for term in OF_SCORE):
        what = "this model has no validation score to compare candidates with"
        raise UsageError(Problem(what, "best_of", "train it on music with validation pieces"))
    return float(sum(scores[term] for term in OF_SCORE))


def closest(
    draw: Callable[[int], Sequence[Piece]], score: Callable[[Piece], float], target: float, candidates: int
) -> list[Piece]:
    """For each piece, the candidate whose score is closest to a target.

    The most likely candidates would be the least interesting: silence and held chords are easier to predict
    than any real music.

    Args:
        draw: returns the candidates of a given number, one for each piece.
        score: returns the nats per frame of a piece.
        target: nats per frame of real music.
        candidates: number of candidates for each piece.
    """
    best: list[Piece] = []
    distances: list[float] = []
    for number in range(candidates):
        pieces = draw(number)
        new_distances = [abs(score(piece) - target) for piece in pieces]
        if not best:
            best, distances = list(pieces), new_distances
        for row, (piece, distance) in enumerate(zip(pieces, new_distances, strict=True)):
            if distance < distances[row]:
                best[row], distances[row] = piece, distance
    return best


def mean_nats(model: Model, roll: Roll, first: int = 0, threads: Threads = "auto") -> float:
    """Nats per frame of the keys of a piece; exact, a bound or an estimate, depending on the model.

    Args:
        model: the model.
        roll: the piece.
        first: first frame to score, such as the end of a primer.
        threads: see `zoo.model.threads`.
    """
    with evaluation_mode(model), computing(model, threads), torch.no_grad():
        log_probs = model.log_probs(_fragments(roll, model), generator(0, "best_of", device=model.device))
    nats = sum(log_probs[name].value[0, first:].double().mean() for name in ("codes", "keys"))
    return -float(nats)


def _fragments(roll: Roll, model: Model) -> Fragments:
    """A whole piece as a batch of one, preceded by a frame of silence."""

    def plane(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> torch.Tensor:
        return torch.from_numpy(np.pad(array, ((1, 0), (0, 0)))).unsqueeze(0)

    frames = np.arange(-1, roll.frames, dtype=np.int64)[None]
    return Fragments(
        onset=None if roll.onset is None else plane(roll.onset),
        sounding=plane(roll.sounding),
        velocity=None if roll.velocity is None else plane(roll.velocity),
        clock=Clock.in_meters([roll.meter], frames, model.grid),
        mask=torch.ones(1, roll.frames, dtype=torch.bool),
    ).to(model.device)
