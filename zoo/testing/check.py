"""Contract checks: a requirement in one line, a function that tests it, and a hint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zoo.parts import SLOTS, Slot
from zoo.testing.under_test import PartUnderTest


class ContractViolationError(AssertionError):
    """The part violates its contract; the message says what was observed."""


class NotApplicableError(Exception):
    """The check does not apply to this part; the message says why."""


@dataclass(frozen=True)
class Check:
    """One requirement of the contract.

    Attributes:
        name: the name in reports and in `expect_fail`.
        requirement: what every part of these slots does, in one line.
        hint: what to change in a part that fails.
        slots: the slots whose parts are checked.
        optional: whether the check may be skipped if it does not apply to a part.
        function: raises `ContractViolationError` if the part fails.
    """

    name: str
    requirement: str = field(repr=False)
    hint: str = field(repr=False)
    slots: tuple[Slot, ...] = field(repr=False)
    optional: bool = field(repr=False)
    function: Callable[[PartUnderTest], None] = field(repr=False)


def check(
    *slots: Slot, hint: str, optional: bool = False
) -> Callable[[Callable[[PartUnderTest], None]], Check]:
    """Decorator that turns a function into a check; the first line of its docstring is the requirement.

    Args:
        slots: the slots whose parts are checked; all five by default.
        hint: what to do about a failure, in one sentence without a full stop.
        optional: whether the function may raise `NotApplicableError`.
    """

    def make(function: Callable[[PartUnderTest], None]) -> Check:
        requirement = (function.__doc__ or "").strip().splitlines()[0].removesuffix(".")
        return Check(function.__name__, requirement, hint, slots or SLOTS, optional, function)

    return make


def require(condition: bool | Tensor, message: str) -> None:
    """Raise `ContractViolationError` with the message unless the condition holds."""
    if not bool(condition):
        raise ContractViolationError(message)


def require_same(actual: Tensor, expected: Tensor, what: str, tolerance: float = 1e-4) -> None:
    """Require that two tensors are equal up to rounding."""
    require(
        actual.shape == expected.shape, f"{what}: shapes {tuple(actual.shape)} and {tuple(expected.shape)}"
    )
    actual, expected = actual.double(), expected.double()
    different = ~torch.isclose(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if different.any():
        error = (actual - expected)[different].abs().max()
        raise ContractViolationError(f"{what}: values differ by up to {error:.3g}")
