"""Run all contract checks of a part's slot, and report the results."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from zoo.errors import Problem, UsageError
from zoo.parts import SLOTS, Description, Slot
from zoo.registry import Entry, open_registry
from zoo.testing import (
    behaviour,
    causality,
    decoding,
    descriptions,
    encoding,
    learning,
    loudness,
    sampling,
)
from zoo.testing.check import Check, ContractViolationError, NotApplicableError
from zoo.testing.under_test import PartUnderTest

Verdict = Literal["passed", "failed", "skipped"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

MODULES = (descriptions, behaviour, learning, causality, sampling, decoding, encoding, loudness)


def checks(slot: Slot) -> list[Check]:
    """All checks for parts of this slot, in the order in which they run."""
    every = [value for module in MODULES for value in vars(module).values() if isinstance(value, Check)]
    return [check for check in every if slot in check.slots]


@dataclass(frozen=True)
class Outcome:
    """The result of one check.

    Attributes:
        check: the check.
        verdict: passed, failed or skipped.
        reason: what went wrong, or why the check does not apply; empty if it passed.
    """

    check: Check
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class CheckReport:
    """The results of all checks of a part; `str(report)` is a one-line summary.

    Attributes:
        part: as users type it, such as `decoder.rbm`.
        outcomes: one for each check of its slot.
        demanded: the minimum number of checks that must run.
    """

    part: str
    outcomes: tuple[Outcome, ...]
    demanded: int

    def having(self, verdict: Verdict) -> list[Outcome]:
        """The outcomes with that verdict."""
        return [outcome for outcome in self.outcomes if outcome.verdict == verdict]

    @property
    def ran(self) -> int:
        """The number of checks that ran."""
        return len(self.having("passed")) + len(self.having("failed"))

    @property
    def ok(self) -> bool:
        """Whether no check failed and at least as many ran as the slot requires."""
        return not self.having("failed") and self.ran >= self.demanded

    def __str__(self) -> str:
        passed, failed, skipped = (f"{verdict} {len(self.having(verdict))}" for verdict in VERDICTS)
        short = f"; {self.demanded} must run" if self.ran < self.demanded else ""
        return f"ran {self.ran}, {passed}, {failed}, {skipped}{short}"


def run(
    part: str | Entry | Description,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Run every check of a part's slot.

    Args:
        part: "slot.name", an entry of the registry, or a description.
        settings: settings that differ from the defaults.
        progress: called before each check with the number of checks done and the total.

    Raises:
        UsageError: there is no such part.
    """
    tested = part_under_test(part, settings)
    battery = checks(tested.slot)
    outcomes = []
    for done, check in enumerate(battery):
        if progress:
            progress(done, len(battery))
        outcomes.append(run_check(check, tested))
    return CheckReport(str(tested), tuple(outcomes), sum(not check.optional for check in battery))


def run_check(check: Check, tested: PartUnderTest) -> Outcome:
    """Run one check on one part; any exception that the part raises is a failure with file and line."""
    try:
        check.function(tested)
    except NotApplicableError as reason:
        if check.optional:
            return Outcome(check, "skipped", str(reason))
        return Outcome(check, "failed", f"skipped, but this check must run: {reason}")
    except ContractViolationError as violation:
        return Outcome(check, "failed", str(violation))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return Outcome(check, "failed", f"{type(error).__name__} at {place}: {error}")
    return Outcome(check, "passed")


def part_under_test(
    part: str | Entry | Description, settings: Mapping[str, Any] | None = None
) -> PartUnderTest:
    """The part to test; a name is looked up in the registry.

    Raises:
        UsageError: the name is not "slot.name", or there is no such part.
    """
    if isinstance(part, Description):
        return PartUnderTest(part, chosen=settings or {})
    if isinstance(part, str):
        slot, dot, name = part.partition(".")
        if slot not in SLOTS or not dot:
            hint = f"write slot.name, such as decoder.lstm; the slots are {', '.join(SLOTS)}"
            raise UsageError(Problem("invalid name of a part", part, hint))
        part = open_registry().find(slot, name)
    return PartUnderTest(part.description, source=part.source, chosen=settings or {})
