"""The events of training, which are passed to listeners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zoo.parts.kinds import Kind
    from zoo.parts.terms import Term


@dataclass(frozen=True)
class Started:
    """Training is about to start.

    Attributes:
        step: number of steps so far; 0 unless the run is resumed.
        steps: number of steps at which training ends; None if it ends after `seconds`.
        seconds: seconds after which training ends; None if it ends after `steps`.
        epoch: steps per epoch.
        device: device to train on.
        threads: number of threads of each rank.
        ranks: number of ranks.
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
    """A training step was taken.

    Attributes:
        step: number of the step, from 1.
        losses: mean loss per frame of each term; losses of different parts are not comparable.
        frames: number of frames of music in the step.
        seconds: training time so far, over all sessions of the run.
    """

    step: int
    losses: Mapping[Term, float]
    frames: int
    seconds: float


@dataclass(frozen=True)
class Validated:
    """The model was scored on the validation pieces.

    Attributes:
        step: number of steps so far.
        nats: nats per frame of each term: codes for the core, keys for the decoder; lower is better.
        improved: the terms with a new best value.
        seconds: training time so far, over all sessions of the run.
        kinds: the kind of the nats of each term: exact, bound or estimate.
    """

    step: int
    nats: Mapping[Term, float]
    improved: tuple[Term, ...]
    seconds: float
    kinds: Mapping[Term, Kind] = field(default_factory=dict)


Event = Started | Stepped | Validated
Stop = Literal["budget", "patience", "callback", "nothing to train", "interrupt"]
"""Why training ended: its budget was used up, no term had improved for as long as `train.patience`, a
callback ended it, no part learns by gradient, or it was interrupted."""
Listen = Callable[[Event], None]


@dataclass(frozen=True)
class FitResult:
    """The result of training.

    Attributes:
        step: total number of steps.
        seconds: total training time.
        best: best nats per frame of each term on the validation pieces.
        best_step: the step of these best weights, by term.
        validations: validations of this session, in order.
        threads: number of threads of each rank in this session.
        ranks: number of ranks.
        stopped: why training ended: "budget", "patience", "callback", "nothing to train" or "interrupt".
        kinds: the kind of the best nats, by term; empty if they are from an older version.
        continued: whether the run was resumed with another budget or patience, in this session or an earlier.
    """

    step: int
    seconds: float
    best: Mapping[Term, float]
    best_step: Mapping[Term, int]
    validations: tuple[Validated, ...]
    threads: int
    ranks: int = 1
    stopped: Stop = "budget"
    kinds: Mapping[Term, Kind] = field(default_factory=dict)
    continued: bool = False
