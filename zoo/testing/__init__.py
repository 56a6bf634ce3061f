"""Contract checks: what every part must do, and how the author of a plugin tests it.

`run("decoder.lstm")` returns a report; `parametrize("decoder.lstm")` gives the same checks as pytest cases.
"""

from zoo.testing.battery import CheckReport, Outcome, checks, run
from zoo.testing.cases import cases, parametrize
from zoo.testing.check import Check

__all__ = ["Check", "CheckReport", "Outcome", "cases", "checks", "parametrize", "run"]
