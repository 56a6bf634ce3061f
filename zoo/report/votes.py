"""Votes: rank models by the ratings of listeners.

Of two pieces that a listener rated in the same group, the one with the higher rating is preferred; a tie
counts as half a preference for each. In the model of Bradley and Terry (Rank analysis of incomplete block
designs, 1952), the log-odds of preferring one model to another are the difference of their strengths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError, Problem
from zoo.limits import RATED_MODELS, RATED_PIECES, RATINGS, parse_json, read_bytes
from zoo.parts.kinds import MARKS
from zoo.report.piece import HUMAN

FORMAT = 1
SCORED = ("music", "split", "full_score", "pieces", "count", "unit")
"""The fields of a score that say what was scored; the same music has several splits."""
PRIOR = 2.0
"""Standard deviation of the prior on strengths; without it an unbeaten model would be infinitely strong."""
HIGHEST = 1e12
"""Larger scores are not those of a model."""
MAX_STEPS = 100
"""Maximum number of Newton steps; about ten are needed."""

Floats = NDArray[np.float64]
Model = tuple[str, str]
"""The name and the digest of a model, as in `Vote`."""


@dataclass(frozen=True)
class Vote:
    """One rating.

    Attributes:
        listener: the listener named in the file of votes, by older pages the file itself.
        group: heading of the pieces that were compared.
        name: the model that generated the piece, or the title of a human piece.
        model: digest of the model; `human` for a human piece.
        rating: 1 to 5; higher is better.
        blind: whether names were hidden.
        at: when it was given, in ISO 8601; empty if unknown.
        page: digest of the pieces of the page; empty if unknown.
        piece: position of the piece on the page; None if unknown.
    """

    listener: str
    group: str
    name: str
    model: str
    rating: int
    blind: bool
    at: str = ""
    page: str = ""
    piece: int | None = None


@dataclass(frozen=True)
class Standing:
    """The rank of a model.

    Attributes:
        name: name of the model; all human pieces together are `human`.
        strength: log-odds of being preferred to a model of average strength.
        interval: 95 % interval of the strength.
        preferred: probability of being preferred to a model of average strength.
        pairs: number of comparisons that it took part in.
        score: score of the model in nats; None if the page had none.
    """

    name: str
    strength: float
    interval: tuple[float, float]
    preferred: float
    pairs: int
    score: Mapping[str, Any] | None = None


def read_votes(path: str | Path) -> tuple[list[Vote], dict[Model, Any]]:
    """Read a file of votes; returns the votes, and the scores of the models that they are for.

    Raises:
        DataError: the file cannot be read, is not a file of votes, or holds more ratings than `RATINGS`.
    """
    place = Path(path)
    try:
        content = parse_json(read_bytes(place, "votes"))
        if type(content["format"]) is not int or content["format"] < 1:
            raise ValueError("the format is an integer from 1 on")
        if content["format"] > FORMAT:
            raise DataError(Problem("was saved by a newer polyzoo", str(place), "pip install -U polyzoo"))
        listener, page = content.get("listener", str(place)), content.get("page", "")
        _check_number(len(content["votes"]), "ratings", RATINGS, str(place))
        votes = [_parse_vote(vote, listener, page) for vote in content["votes"]]
        scores = {name: _parse_score(score) for name, score in content["models"].items()}
        models = {(vote.name, vote.model) for vote in votes if vote.model != HUMAN}
        return votes, {(name, model): scores[name] for name, model in models if scores.get(name)}
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror}", str(place))) from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        hint = "pass a file that was saved with `save votes` on a page of `zoo report`"
        raise DataError(Problem("is not a file of votes", str(place), hint)) from error


def read_all_votes(paths: Iterable[str | Path]) -> tuple[list[Vote], dict[Model, Any]]:
    """Read several files of votes, as `read_votes`; a model with different scores in them has none.

    Raises:
        DataError: as `read_votes`, also if the files together hold more ratings than `RATINGS`.
    """
    votes: list[Vote] = []
    scores: dict[Model, Any] = {}
    for path in paths:
        more_votes, more_scores = read_votes(path)
        votes += more_votes
        for model, score in more_scores.items():
            # Pages that scored a model on different music do not say which score belongs in the table.
            scores[model] = score if scores.get(model, score) == score else None
        _check_number(len(votes), "ratings", RATINGS, str(path))
    return votes, scores


def _check_number(number: int, what: str, most: int, where: str) -> None:
    """Check a number against its limit.

    Raises:
        DataError: it is larger.
    """
    if number > most:
        hint = "count the votes in several commands" if what == "ratings" else "rate fewer at a time"
        raise DataError(Problem(f"{number:,} {what}; the maximum is {most:,}", where, hint))


def _parse_score(score: Any) -> Any:
    """The score of a model, if it is one: None, or an object with a possible `value` and a `kind`."""
    if score is None:
        return None
    is_possible = type(score["value"]) in (int, float) and abs(score["value"]) < HIGHEST
    if not is_possible or score.get("kind") not in (None, *MARKS):
        raise ValueError(f"invalid score {score!r}")
    return score


def _parse_vote(vote: Mapping[str, Any], listener: str, page: str) -> Vote:
    group, name, model, rating, blind = (vote[key] for key in ("group", "name", "model", "rating", "blind"))
    if not (type(rating) is int and 1 <= rating <= 5 and type(blind) is bool):
        raise ValueError(f"invalid rating {rating!r} or invalid blind {blind!r}")
    at, piece = vote.get("at", ""), vote.get("piece")
    texts = (listener, group, name, model, at, page)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"one of {texts} is not a string")
    if piece is not None and type(piece) is not int:
        raise TypeError(f"invalid piece {piece!r}")
    return Vote(listener, group, name, model, rating, blind, at, page, piece)


def latest(votes: Iterable[Vote]) -> list[Vote]:
    """The last rating of each piece of a page by each listener, who may have saved several files.

    A rating that was not blind replaces no blind one.
    """
    by_time = sorted(votes, key=lambda vote: (vote.blind, vote.at))
    return list({replace(vote, rating=0, blind=False, at=""): vote for vote in by_time}.values())


def standings(votes: Sequence[Vote], scores: Mapping[Model, Any] | None = None) -> list[Standing]:
    """Rank the models that were compared by strength, the strongest first; empty if no two pieces were.

    The n(n - 1)/2 pairs of a group of n pieces are not independent: a ranking of n pieces is worth n - 1
    comparisons. Each pair therefore has a weight of 2/n, else large groups would make intervals too narrow.

    Args:
        votes: the votes to count.
        scores: scores of models, copied into the result if all are of the same pieces.

    Raises:
        DataError: there are more ratings than `RATINGS`, more models than `RATED_MODELS`, or a listener rated
            more pieces of one group than `RATED_PIECES`.
    """
    displayed = _display_names(votes)
    names = list(dict.fromkeys(displayed.values()))
    _check_number(len(votes), "ratings", RATINGS, "")
    _check_number(len(names), "models", RATED_MODELS, "")
    for (_, _, group), rated in Counter(map(_place, votes)).items():
        _check_number(rated, "rated pieces in one group", RATED_PIECES, group)
    wins, pairs = _count_wins(votes, names)
    compared = np.flatnonzero(pairs)  # another model would widen all intervals, as one of unknown strength
    if not compared.size:
        return []
    strength, covariance = _fit_strengths(wins[np.ix_(compared, compared)])
    half = 1.96 * np.sqrt(np.diag(covariance))
    ranked = [names[i] for i in compared]
    score_of = _comparable(
        {name: (scores or {}).get(model) for model, name in displayed.items() if name in ranked}
    )
    return [
        Standing(
            name=ranked[i],
            strength=float(strength[i]),
            interval=(float(strength[i] - half[i]), float(strength[i] + half[i])),
            preferred=float(1 / (1 + np.exp(-strength[i]))),
            pairs=pairs[compared[i]],
            score=score_of[ranked[i]],
        )
        for i in np.argsort(-strength, kind="stable")
    ]


def _place(vote: Vote) -> tuple[str, str, str]:
    """The listener, the page and the group; pieces rated there are compared with each other."""
    return vote.listener, vote.page, vote.group


def _comparable(scores: dict[str, Any]) -> dict[str, Any]:
    """The scores, if all of them are of the same pieces of the same music; otherwise none."""
    scored = {tuple(repr(score.get(name)) for name in SCORED) for score in scores.values() if score}
    return scores if len(scored) < 2 else dict.fromkeys(scores)


def _display_names(votes: Iterable[Vote]) -> dict[tuple[str, str], str]:
    """The display name of each (name, model): the name, with a digest if several models share it.

    Human pieces share one name, which no model gets.
    """
    pairs = dict.fromkeys((vote.name, vote.model) for vote in votes)
    digests: dict[str, set[str]] = {HUMAN: {HUMAN}}
    for name, model in pairs:
        digests.setdefault(name, set()).add(model)
    return {
        (name, model): HUMAN if model == HUMAN else name if len(digests[name]) == 1 else f"{name} {model[:8]}"
        for name, model in pairs
    }


def _comparisons(votes: Sequence[Vote], names: Sequence[str]) -> Iterator[tuple[int, int, float, float]]:
    """(first model, second model, win of the first: 0, 1/2 or 1, weight) of all pairs of rated pieces."""
    index = {name: number for number, name in enumerate(names)}
    models = {key: index[name] for key, name in _display_names(votes).items()}
    groups: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for vote in votes:
        rated = groups.setdefault(_place(vote), [])
        rated.append((models[vote.name, vote.model], vote.rating))
    for group in groups.values():
        for (first, rating), (second, other_rating) in combinations(group, 2):
            if first != second:
                win = ((rating > other_rating) - (rating < other_rating) + 1) / 2
                yield first, second, win, 2 / len(group)


def _count_wins(votes: Sequence[Vote], names: Sequence[str]) -> tuple[Floats, list[int]]:
    """Compare all pairs of pieces.

    Returns:
        (M, M) weighted number of times that each model was preferred to each other model, and the number of
        comparisons of each model.
    """
    wins, pairs = np.zeros((len(names), len(names))), [0] * len(names)
    for first, second, win, weight in _comparisons(votes, names):
        wins[first, second] += weight * win
        wins[second, first] += weight * (1 - win)
        pairs[first] += 1
        pairs[second] += 1
    return wins, pairs


def _fit_strengths(wins: Floats) -> tuple[Floats, Floats]:
    """The maximum a posteriori strengths (M,) and their covariance (M, M), by Newton's method.

    The prior is normal around 0, which keeps strengths finite and their mean at 0. The covariance is that of
    the differences from the mean.
    """
    strength: Floats = np.zeros(len(wins))
    comparisons = wins + wins.T
    for _ in range(MAX_STEPS):
        win_probability = 1 / (1 + np.exp(strength[None] - strength[:, None]))
        gradient = (wins - comparisons * win_probability).sum(1) - strength / PRIOR**2
        information = comparisons * win_probability * (1 - win_probability)
        hessian = np.diag(information.sum(1) + 1 / PRIOR**2) - information
        step = np.linalg.solve(hessian, gradient)
        strength = strength + step
        if np.abs(step).max() < 1e-10:
            break
    # Only differences of strengths are observed: without centering, the variance of the common level, which
    # only the prior determines, would be added to every interval.
    centering: Floats = np.eye(len(wins)) - 1 / len(wins)
    return strength, centering @ np.linalg.inv(hessian) @ centering
