"""Votes: which models listeners prefer, from ratings given while the names were hidden.

Of each pair of pieces that a listener rated in one group, the one rated higher is preferred; equal ratings
are half a preference each. How strong each model is follows from the preferences (Bradley and Terry, Rank
analysis of incomplete block designs, 1952): one is preferred to another with odds of exp(difference of
strengths).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError, Problem
from zoo.limits import read_bytes
from zoo.report.piece import HUMAN

FORMAT = 1
PRIOR = 2.0
"""Standard deviation of strengths before votes; without it one that never lost were infinitely strong."""
STEPS = 100
"""Newton's steps at most; ten are enough."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Vote:
    """One rating.

    Attributes:
        listener: which file of votes it is from.
        group: the pieces that it was heard beside.
        name: who wrote the piece: a model, or the title of a piece that a person wrote.
        model: digest of the model; `human` where a person wrote the piece.
        rating: 1 to 5, higher is better.
        blind: whether the names were hidden.
    """

    listener: str
    group: str
    name: str
    model: str
    rating: int
    blind: bool


@dataclass(frozen=True)
class Standing:
    """How well a model stands with the listeners.

    Attributes:
        name: of the model; `human` stands for all pieces that people wrote.
        strength: log-odds of being preferred to a model of average strength.
        interval: 95 %.
        preferred: the same as a probability.
        pairs: in how many comparisons it took part.
        score: nats of the model, where a page knew them.
    """

    name: str
    strength: float
    interval: tuple[float, float]
    preferred: float
    pairs: int
    score: Mapping[str, Any] | None = None


def read_votes(path: str | Path) -> tuple[list[Vote], dict[str, Any]]:
    """The votes that a report saved, and the scores of the models it showed, by name.

    Raises:
        DataError: the file cannot be read, or holds no votes.
    """
    place = Path(path)
    try:
        content = json.loads(read_bytes(place, "result"))
        if content["format"] > FORMAT:
            raise DataError(Problem("was saved by a newer polyzoo", str(place), "pip install -U polyzoo"))
        votes = [_vote(vote, f"{place}") for vote in content["votes"]]
        return votes, dict(content["models"])
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror}", str(place))) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "name a file that `save votes` on a page of `zoo report` has saved"
        raise DataError(Problem("holds no votes", str(place), hint)) from error


def _vote(vote: Mapping[str, Any], listener: str) -> Vote:
    group, name, model, rating, blind = (vote[key] for key in ("group", "name", "model", "rating", "blind"))
    if not (type(rating) is int and 1 <= rating <= 5 and type(blind) is bool):
        raise ValueError(f"{rating} and {blind} are no rating")
    if not all(isinstance(text, str) for text in (group, name, model)):
        raise TypeError(f"{group}, {name} and {model} are not all text")
    return Vote(listener, group, name, model, rating, blind)


def standings(votes: Sequence[Vote], scores: Mapping[str, Any] | None = None) -> list[Standing]:
    """The models by strength, the strongest first; none where nothing was compared.

    A group in which n pieces were rated says no more than an order of n pieces does, n - 1 comparisons. So
    each of its pairs counts 2/n, and intervals do not shrink because pairs of one order agree.

    Args:
        votes: all that count.
        scores: of models, by name.
    """
    names = list(dict.fromkeys(_names(votes).values()))
    wins = _wins(votes, names)
    if not wins.any():
        return []
    strength, covariance = _fitted(wins)
    half = 1.96 * np.sqrt(np.diag(covariance))
    order = np.argsort(-strength, kind="stable")
    pairs = _pairs(votes, names)
    return [
        Standing(
            name=names[i],
            strength=float(strength[i]),
            interval=(float(strength[i] - half[i]), float(strength[i] + half[i])),
            preferred=float(1 / (1 + np.exp(-strength[i]))),
            pairs=pairs[i],
            score=(scores or {}).get(names[i]),
        )
        for i in order
        if pairs[i]
    ]


def _names(votes: Iterable[Vote]) -> dict[tuple[str, str], str]:
    """What each (name, model) is called: its name, with its digest where two models share one."""
    found = dict.fromkeys((vote.name, vote.model) for vote in votes)
    digests: dict[str, set[str]] = {}
    for name, model in found:
        digests.setdefault(name, set()).add(model)
    return {
        (name, model): HUMAN if model == HUMAN else name if len(digests[name]) == 1 else f"{name} {model[:8]}"
        for name, model in found
    }


def _compared(votes: Sequence[Vote], names: Sequence[str]) -> Iterator[tuple[int, int, float, float]]:
    """Each pair that one listener rated in one group: two models, how far the first won, and its weight."""
    called = _names(votes)
    groups: dict[tuple[str, str], list[Vote]] = {}
    for vote in votes:
        groups.setdefault((vote.listener, vote.group), []).append(vote)
    for group in groups.values():
        for first, second in combinations(group, 2):
            one, two = (names.index(called[vote.name, vote.model]) for vote in (first, second))
            if one != two:
                won = float(np.sign(first.rating - second.rating) + 1) / 2
                yield one, two, won, 2 / len(group)


def _wins(votes: Sequence[Vote], names: Sequence[str]) -> Numbers:
    """(M, M) how often each model was preferred to each other one."""
    wins = np.zeros((len(names), len(names)))
    for one, two, won, weight in _compared(votes, names):
        wins[one, two] += weight * won
        wins[two, one] += weight * (1 - won)
    return wins


def _pairs(votes: Sequence[Vote], names: Sequence[str]) -> list[int]:
    counts = [0] * len(names)
    for one, two, _, _ in _compared(votes, names):
        counts[one] += 1
        counts[two] += 1
    return counts


def _fitted(wins: Numbers) -> tuple[Numbers, Numbers]:
    """The likeliest strengths (M,) after the votes and their covariance (M, M), by Newton's method.

    Before the votes they are normal around 0, so they stay finite and their mean is 0; the covariance is that
    of the differences to the mean.
    """
    strength: Numbers = np.zeros(len(wins))
    games = wins + wins.T
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(strength[None] - strength[:, None]))
        slope = (wins - games * chance).sum(1) - strength / PRIOR**2
        curve = games * chance * (1 - chance)
        curvature = np.diag(curve.sum(1) + 1 / PRIOR**2) - curve
        step = np.linalg.solve(curvature, slope)
        strength = strength + step
        if np.abs(step).max() < 1e-10:
            break
    centred: Numbers = np.eye(len(wins)) - 1 / len(wins)
    return strength, centred @ np.linalg.inv(curvature) @ centred
