"""Contract checks: what every part promises, and how a plugin author proves it.

`run("decoder.lstm")` gives a report, `parametrize("decoder.lstm")` the same checks as pytest cases.
"""

from zoo.testing.battery import Outcome, Report, checks, run
from zoo.testing.cases import cases, parametrize
from zoo.testing.check import Check

__all__ = ["Check", "Outcome", "Report", "cases", "checks", "parametrize", "run"]
