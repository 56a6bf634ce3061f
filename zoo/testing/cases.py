"""The checks as pytest cases, for the tests of a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from zoo.errors import Problem, UsageError
from zoo.parts import Description
from zoo.registry import Entry
from zoo.testing.battery import carry_out, checks, subject_of
from zoo.testing.check import BrokenPromiseError, Check
from zoo.testing.subject import Subject

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Case:
    """One check on one part; call it to carry it out inside a test."""

    check: Check
    subject: Subject

    def __str__(self) -> str:
        return f"{self.subject}-{self.check.name}".replace(" ", "-")

    def __call__(self) -> None:
        """Pass, skip with the reason, or fail with the promise, what was seen, and the cure."""
        import pytest

        __tracebackhide__ = True
        outcome = carry_out(self.check, self.subject)
        if outcome.verdict == "skipped":
            pytest.skip(outcome.reason)
        if outcome.verdict == "failed":
            raise BrokenPromiseError(
                f"{self.check.promise}\n  seen: {outcome.reason}\n  cure: {self.check.cure}"
            )


def parametrize(
    part: str | Entry | Description,
    expect_fail: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> pytest.MarkDecorator:
    """A decorator that turns a test of `case` into one test for each check of the part's slot.

        @zoo.testing.parametrize("decoder.mdn")
        def test_contract(case):
            case()

    Args:
        part: "slot.name", an entry of the registry, or a description.
        expect_fail: names of checks that are known to fail, with the reason; one that passes is an error.
        settings: where they shall differ from the defaults.

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
    """The cases of one part as pytest parameters, expected failures marked; see `parametrize`."""
    import pytest

    subject, expected = subject_of(part, settings), dict(expect_fail or {})
    battery = checks(subject.slot)
    unknown = expected.keys() - {check.name for check in battery}
    if unknown:
        raise UsageError(*(_no_such_check(name, battery) for name in sorted(unknown)))
    found = []
    for check in battery:
        reason = expected.get(check.name)
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason is not None else []
        case = Case(check, subject)
        found.append(pytest.param(case, id=str(case), marks=marks))
    return found


def _no_such_check(name: str, battery: list[Check]) -> Problem:
    near = get_close_matches(name, [check.name for check in battery], 1)
    cure = f"did you mean {near[0]}?" if near else f"the checks are {', '.join(c.name for c in battery)}"
    return Problem("there is no check of this name", name, cure)
