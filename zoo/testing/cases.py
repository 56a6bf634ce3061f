"""Contract checks as pytest cases, for the tests of a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from zoo.errors import Problem, UsageError
from zoo.parts import Description
from zoo.registry import Entry
from zoo.testing.battery import checks, part_under_test, run_check
from zoo.testing.check import Check, ContractViolationError
from zoo.testing.under_test import PartUnderTest

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Case:
    """One check of one part; call it inside a test to run it."""

    check: Check
    tested: PartUnderTest

    def __str__(self) -> str:
        return f"{self.tested}-{self.check.name}".replace(" ", "-")

    def __call__(self) -> None:
        """Pass, skip with the reason, or fail with the requirement, what was observed, and a hint."""
        import pytest

        __tracebackhide__ = True
        outcome = run_check(self.check, self.tested)
        if outcome.verdict == "skipped":
            pytest.skip(outcome.reason)
        if outcome.verdict == "failed":
            raise ContractViolationError(
                f"{self.check.requirement}\n  observed: {outcome.reason}\n  hint: {self.check.hint}"
            )


def parametrize(
    part: str | Entry | Description,
    expect_fail: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> pytest.MarkDecorator:
    """A decorator that runs a test function with argument `case` once for each check of the part's slot.

    ::

        @zoo.testing.parametrize("decoder.mdn")
        def test_contract(case):
            case()

    Args:
        part: "slot.name", an entry of the registry, or a description.
        expect_fail: checks that are known to fail, by name, with the reason (a strict xfail).
        settings: settings that differ from the defaults.

    Raises:
        UsageError: there is no such part, or no such check.
    """
    import pytest

    return pytest.mark.parametrize("case", list(cases(part, expect_fail, settings)))


def cases(
    part: str | Entry | Description,
    expect_fail: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Any]:
    """The cases of one part as pytest parameters, with expected failures marked; see `parametrize`."""
    import pytest

    tested, expected = part_under_test(part, settings), dict(expect_fail or {})
    battery = checks(tested.slot)
    unknown = expected.keys() - {check.name for check in battery}
    if unknown:
        raise UsageError(*(_no_such_check(name, battery) for name in sorted(unknown)))
    params = []
    for check in battery:
        reason = expected.get(check.name)
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason is not None else []
        case = Case(check, tested)
        params.append(pytest.param(case, id=str(case), marks=marks))
    return params


def _no_such_check(name: str, battery: list[Check]) -> Problem:
    near = get_close_matches(name, [check.name for check in battery], 1)
    hint = f"did you mean {near[0]}?" if near else f"the checks are {', '.join(c.name for c in battery)}"
    return Problem("there is no check with this name", name, hint)
