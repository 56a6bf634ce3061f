"""The events of training; listeners decide what to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.parts.interfaces import Kind
    from zoo.parts.terms import Term


@dataclass(frozen=True)
class Started:
    """The first step is about to be taken.

    Attributes:
        step: how many steps were taken before, in a run that is resumed.
        steps: at which step it ends, or None where the clock decides.
        seconds: after how many seconds it ends, or None.
        epoch: steps of an epoch.
        device: where it computes.
        threads: with how many threads.
        ranks: on how many ranks, each with its own batches and threads.
    """

    step: int
    steps: int | None
    seconds: float | None
    epoch: int
    device: str
    threads: int
    ranks: int = 1


@dataclass(frozen=True)
class Stepped:
    """One batch was learned.

    Attributes:
        step: its number, from 1.
        losses: term -> mean loss per frame; quantities that train and never rank.
        frames: how many frames of music it held.
        seconds: since the beginning of training, all sessions of a run together.
    """

    step: int
    losses: Mapping[Term, float]
    frames: int
    seconds: float


@dataclass(frozen=True)
class Validated:
    """The model was scored on the validation pieces.

    Attributes:
        step: after which step.
        nats: term -> nats per frame, lower is better: codes for the core, keys for the decoder.
        improved: the terms that were never better.
        seconds: since the beginning of training.
        kinds: term -> the kind of its nats, exact, bound or estimate.
    """

    step: int
    nats: Mapping[Term, float]
    improved: tuple[Term, ...]
    seconds: float
    kinds: Mapping[Term, Kind] = field(default_factory=dict)


Event = Started | Stepped | Validated
Listen = Callable[[Event], None]


@dataclass(frozen=True)
class FitResult:
    """The result of training.

    Attributes:
        step: how many steps were taken in all.
        seconds: how long they took.
        best: term -> nats per frame on the validation pieces, of the weights that were kept.
        best_step: term -> the step of those weights.
        validations: those of this session, in order.
        threads: how many threads this session computed with, on each rank.
        ranks: on how many ranks.
    """

    step: int
    seconds: float
    best: Mapping[Term, float]
    best_step: Mapping[Term, int]
    validations: tuple[Validated, ...]
    threads: int
    ranks: int = 1
