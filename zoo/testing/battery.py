"""Holding a part to its contract: all checks of its slot, and a report that says how many ran."""

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
    behaving,
    causality,
    decoding,
    describing,
    encoding,
    keeping,
    loudness,
    sampling,
)
from zoo.testing.check import BrokenPromiseError, Check, DoesNotApplyError
from zoo.testing.subject import Subject

Verdict = Literal["passed", "failed", "skipped"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

MODULES = (describing, behaving, keeping, causality, sampling, decoding, encoding, loudness)


def checks(slot: Slot) -> list[Check]:
    """Everything that a part of this slot is held to, in the order of running."""
    found = [thing for module in MODULES for thing in vars(module).values() if isinstance(thing, Check)]
    return [check for check in found if slot in check.slots]


@dataclass(frozen=True)
class Outcome:
    """What became of one check.

    Attributes:
        check: the check.
        verdict: passed, failed or skipped.
        reason: what was seen, or why it does not apply; empty where it passed.
    """

    check: Check
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """What became of all checks of a part; `str(report)` is the last line to print.

    Attributes:
        part: as users type it, such as `decoder.rbm`.
        outcomes: one for each check of its slot.
        demanded: how many checks must run at least.
    """

    part: str
    outcomes: tuple[Outcome, ...]
    demanded: int

    def having(self, verdict: Verdict) -> list[Outcome]:
        """The outcomes with that verdict."""
        return [outcome for outcome in self.outcomes if outcome.verdict == verdict]

    @property
    def ran(self) -> int:
        """How many checks were carried out."""
        return len(self.having("passed")) + len(self.having("failed"))

    @property
    def ok(self) -> bool:
        """Nothing failed, and no fewer checks ran than the slot demands."""
        return not self.having("failed") and self.ran >= self.demanded

    def __str__(self) -> str:
        passed, failed, skipped = (f"{verdict} {len(self.having(verdict))}" for verdict in VERDICTS)
        short = f"; {self.demanded} must run" if self.ran < self.demanded else ""
        return f"ran {self.ran}, {passed}, {failed}, {skipped}{short}"


def run(
    part: str | Entry | Description,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Hold a part to every promise of its slot.

    Args:
        part: "slot.name", an entry of the registry, or a description.
        settings: where they shall differ from the defaults.
        progress: told before each check how many are done, and of how many.

    Raises:
        UsageError: there is no such part.
    """
    subject = subject_of(part, settings)
    battery = checks(subject.slot)
    outcomes = []
    for done, check in enumerate(battery):
        if progress:
            progress(done, len(battery))
        outcomes.append(carry_out(check, subject))
    return Report(str(subject), tuple(outcomes), sum(not check.optional for check in battery))


def carry_out(check: Check, subject: Subject) -> Outcome:
    """One check on one part; whatever the part raises is a failure with its place."""
    try:
        check.hold(subject)
    except DoesNotApplyError as reason:
        if check.optional:
            return Outcome(check, "skipped", str(reason))
        return Outcome(check, "failed", f"skipped, but this check must run: {reason}")
    except BrokenPromiseError as seen:
        return Outcome(check, "failed", str(seen))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return Outcome(check, "failed", f"{type(error).__name__} at {place}: {error}")
    return Outcome(check, "passed")


def subject_of(part: str | Entry | Description, settings: Mapping[str, Any] | None = None) -> Subject:
    """The part to be tested, found in the registry where it is named.

    Raises:
        UsageError: the name is not "slot.name", or there is no such part.
    """
    if isinstance(part, Description):
        return Subject(part, chosen=settings or {})
    if isinstance(part, str):
        slot, dot, name = part.partition(".")
        if slot not in SLOTS or not dot:
            cure = f"write slot.name, such as decoder.lstm; the slots are {', '.join(SLOTS)}"
            raise UsageError(Problem("this is not the name of a part", part, cure))
        part = open_registry().find(slot, name)
    return Subject(part.description, source=part.source, chosen=settings or {})
