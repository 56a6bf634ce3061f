"""Exceptions of the zoo, with the exit codes of the command line.

    ZooError                exit code 1: any other failure
    ├── UsageError          2: the command or the recipe is invalid
    ├── DataError           3: the music cannot be used
    ├── PluginError         4: a plugin is missing, broken or ambiguous
    ├── BundleError         5: a bundle, run or checkpoint cannot be read
    ├── NonFiniteError      6: training produced NaN or infinity
    └── ClaimError          7: a submission does not have the score that it claims

An error holds all problems that were detected, not only the first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}((a|b|rc|\.post|\.dev)\d{1,6})?")
PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
"""Versions and packages that hints may contain, since users copy these commands and a file could contain any
text. Other text of files that is part of a command is quoted for a shell."""


@dataclass(frozen=True)
class Problem:
    """A problem: what is wrong, where, and what to do about it.

    Attributes:
        what: what is wrong, in one sentence without a full stop.
        where: the word, file or setting concerned; may be empty.
        hint: what to do, in one sentence without a full stop; may be empty.
    """

    what: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        hint = f"\n  {self.hint}" if self.hint else ""
        return f"{where}{self.what}{hint}"


class ZooError(Exception):
    """Base class of all expected errors."""

    exit_code = 1

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: Sequence[Problem] = tuple(
            Problem(problem) if isinstance(problem, str) else problem for problem in problems
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(ZooError):
    """The command line or the recipe is invalid."""

    exit_code = 2


class DataError(ZooError):
    """The music cannot be read, or lacks something that the recipe needs."""

    exit_code = 3


class PluginError(ZooError):
    """A plugin is missing, broken or ambiguous, or violates its contract."""

    exit_code = 4


class BundleError(ZooError):
    """A bundle, run folder or checkpoint is damaged, incompatible or too new."""

    exit_code = 5


class NonFiniteError(ZooError):
    """Training stopped because a value became NaN or infinite."""

    exit_code = 6


class ClaimError(ZooError):
    """A submission to the leaderboard does not have the score that it claims."""

    exit_code = 7
