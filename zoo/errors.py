"""Every mistake the zoo answers for, as one tree.

    ZooError                exit code 1: it failed, and this says why
    ├── UsageError          2: the command or recipe cannot be meant
    ├── DataError           3: the music cannot be used
    ├── PluginError         4: a plugin is missing, broken or ambiguous
    ├── BundleError         5: a bundle, run or checkpoint cannot be read
    └── NonFiniteError      6: training met a value that is not a number

An error carries problems: all that was found, not just the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it stands, and what to do about it.

    Attributes:
        what: what is wrong, in one sentence without a full stop.
        where: the word, file or setting it is about; may be empty.
        cure: what to do, in one sentence without a full stop; may be empty.
    """

    what: str
    where: str = ""
    cure: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        cure = f"\n  {self.cure}" if self.cure else ""
        return f"{place}{self.what}{cure}"


class ZooError(Exception):
    """Something failed for a reason that the zoo can name."""

    exit_code = 1

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: Sequence[Problem] = tuple(
            Problem(problem) if isinstance(problem, str) else problem for problem in problems
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(ZooError):
    """The command line or the recipe cannot be meant as it stands."""

    exit_code = 2


class DataError(ZooError):
    """The music cannot be read, or does not hold what the recipe needs."""

    exit_code = 3


class PluginError(ZooError):
    """A plugin is missing, broken, ambiguous or breaks its contract."""

    exit_code = 4


class BundleError(ZooError):
    """A bundle, run folder or checkpoint is damaged, foreign or too new."""

    exit_code = 5


class NonFiniteError(ZooError):
    """Training met a value that is not a finite number and stopped."""

    exit_code = 6
