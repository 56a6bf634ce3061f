"""Switches in environment variables, such as `ZOO_LOCAL=1`."""

from __future__ import annotations

import os

from zoo.errors import Problem, UsageError

ON, OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def is_on(variable: str) -> bool:
    """Whether a switch is on; it is off if the variable is not set.

    Raises:
        UsageError: the value is in neither; that of a switch which lets code run is not guessed.
    """
    value = os.environ.get(variable, "")
    if value.lower() not in (*ON, *OFF):
        raise UsageError(
            Problem(f"{value!r} is neither on nor off", variable, f"set {variable}=1 or unset it")
        )
    return value.lower() in ON
