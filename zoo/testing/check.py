"""What a contract check is: a promise in one line, a function that holds a part to it, and a cure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zoo.parts import SLOTS, Slot
from zoo.testing.subject import Subject


class BrokenPromiseError(AssertionError):
    """The part does not do what its contract says; the message says what was seen."""


class DoesNotApplyError(Exception):
    """The promise says nothing about this part; the message says why."""


@dataclass(frozen=True)
class Check:
    """One promise of the contract.

    Attributes:
        name: what reports and expected failures call it.
        promise: what every part of these slots does, in one line.
        cure: what to change in a part that breaks the promise.
        slots: whose parts are held to it.
        optional: whether it may turn out not to apply to a part; any other check must run.
        hold: raises where the promise is broken.
    """

    name: str
    promise: str = field(repr=False)
    cure: str = field(repr=False)
    slots: tuple[Slot, ...] = field(repr=False)
    optional: bool = field(repr=False)
    hold: Callable[[Subject], None] = field(repr=False)


def check(*slots: Slot, cure: str, optional: bool = False) -> Callable[[Callable[[Subject], None]], Check]:
    """Make a function a check; the first line of its docstring is the promise.

    Args:
        slots: whose parts are held to it; none named means all five.
        cure: what to do about a failure, in one sentence without a full stop.
        optional: whether the function may raise `DoesNotApplyError`.
    """

    def make(hold: Callable[[Subject], None]) -> Check:
        promise = (hold.__doc__ or "").strip().splitlines()[0].removesuffix(".")
        return Check(hold.__name__, promise, cure, slots or SLOTS, optional, hold)

    return make


def require(kept: bool | Tensor, seen: str) -> None:
    """Go on only if the promise is kept, else say what was seen instead."""
    if not bool(kept):
        raise BrokenPromiseError(seen)


def require_same(one: Tensor, other: Tensor, what: str, tolerance: float = 1e-4) -> None:
    """Both tensors hold the same numbers, up to rounding in another order of adding."""
    require(one.shape == other.shape, f"{what}: shapes {tuple(one.shape)} and {tuple(other.shape)}")
    one, other = one.double(), other.double()
    apart = ~torch.isclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)
    if apart.any():
        raise BrokenPromiseError(f"{what}: values differ by up to {(one - other)[apart].abs().max():.3g}")
