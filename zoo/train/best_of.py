"""Which of several pieces a model would take for music of the kind it learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from zoo.parts.terms import Term

JUDGED: tuple[Term, ...] = ("core", "decoder")
"""The terms by which pieces are chosen: which keys there are, not how loud they are."""


def typical_nats(record: Mapping[str, Any]) -> float:
    """Nats per frame that a model gave the validation pieces, from the record in its bundle.

    Raises:
        UsageError: none are recorded.
    """
    scores = record.get("scores", {}).get("validation", {})
    if not all(term in scores for term in JUDGED):
        what = "this model has no validation score, by which pieces are chosen"
        raise UsageError(Problem(what, "best_of", "train it on music with validation pieces"))
    return float(sum(scores[term] for term in JUDGED))


def closest(
    draw: Callable[[int], Sequence[Roll]], scored: Callable[[Roll], float], target: float, candidates: int
) -> list[Roll]:
    """Of several candidates for each piece, those whose score is closest to a target.

    The likeliest candidates would be the dullest: silence and held chords are easier to predict than any
    music that a model was trained on.

    Args:
        draw: the pieces of a candidate, by its number.
        scored: nats per frame of a piece.
        target: nats per frame of music.
        candidates: how many there are.
    """
    best: list[Roll] = []
    distances: list[float] = []
    for number in range(candidates):
        rolls = draw(number)
        found = [abs(scored(roll) - target) for roll in rolls]
        if not best:
            best, distances = list(rolls), found
        for row, (roll, distance) in enumerate(zip(rolls, found, strict=True)):
            if distance < distances[row]:
                best[row], distances[row] = roll, distance
    return best


def mean_nats(model: Model, roll: Roll, first: int = 0, threads: Threads = "auto") -> float:
    """Nats per frame of the keys of a piece: exact, or a bound or estimate, as the model's parts score.

    Args:
        model: the model.
        roll: the piece.
        first: the first frame that counts, such as the end of a primer.
        threads: see `zoo.model.threads`.
    """
    with evaluation_mode(model), computing(model, threads), torch.no_grad():
        found = model.log_probs(_fragments(roll, model), generator(0, "best_of", device=model.device))
    nats = sum(found[name].value[0, first:].double().mean() for name in ("codes", "keys"))
    return -float(nats)


def _fragments(roll: Roll, model: Model) -> Fragments:
    """A whole piece as a batch of one, after a frame of silence."""

    def plane(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> torch.Tensor:
        return torch.from_numpy(np.pad(array, ((1, 0), (0, 0)))).unsqueeze(0)

    frames = np.arange(-1, roll.frames, dtype=np.int64)[None]
    return Fragments(
        onset=None if roll.onset is None else plane(roll.onset),
        sounding=plane(roll.sounding),
        velocity=None,
        clock=Clock.in_meters([roll.meter], frames, model.grid),
        mask=torch.ones(1, roll.frames, dtype=torch.bool),
    ).to(model.device)
