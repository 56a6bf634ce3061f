"""Ensembles: the mean of the probabilities that several models give to each frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from zoo.errors import Problem, UsageError
from zoo.measure.evaluation import SCORE
from zoo.parts.interfaces import LogProb

if TYPE_CHECKING:
    from zoo.model.model import Model


def check_ensemble(models: Mapping[str, Model]) -> None:
    """Check that the predictions of these models can be averaged.

    Raises:
        UsageError: there are fewer than two, or they do not have the same encoder.
    """
    if len(models) < 2:
        raise UsageError(Problem("an ensemble needs at least two models", hint="name several bundles"))
    first, *others = models.items()
    problems = [
        Problem(
            f"its encoder differs from that of {first[0]}",
            where=name,
            hint="only models with the same encoder and settings of it can be averaged",
        )
        for name, model in others
        if _encoder(model) != _encoder(first[1])
    ]
    if problems:
        raise UsageError(*problems)


def _encoder(model: Model) -> tuple[str, Any]:
    choice = model.recipe.parts["encoder"]
    return choice.entry.portable, choice.settings


def mixture(models: Sequence[Mapping[str, LogProb]]) -> dict[str, LogProb]:
    """The log-probabilities (B, T) of an ensemble, from those of its models.

    A frame has the mean of the probabilities that the models give it after the same past. The terms are its
    factors: the mixture of codes, then of keys given these codes, and so on, where models that predicted the
    earlier factors better have more weight.

    Raises:
        UsageError: a score is not exact; the mean of bounds or estimates is neither.
    """
    score = [name for name in SCORE if name in models[0]]
    if any(terms[name].kind != "exact" for terms in models for name in score):
        what = "an ensemble needs models with exact scores; a mean of bounds or estimates is neither"
        raise UsageError(Problem(what, hint="omit --ensemble"))
    joint = torch.stack([torch.stack([terms[name].value for name in score]).cumsum(0) for terms in models])
    mixed = joint.logsumexp(0) - math.log(len(models))
    factors = mixed.diff(dim=0, prepend=torch.zeros_like(mixed[:1]))
    return {name: LogProb(factor) for name, factor in zip(score, factors, strict=True)}
