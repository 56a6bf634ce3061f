"""Format versions of stored files: strict checks, and hints which version of polyzoo reads a newer one."""

from __future__ import annotations

import json
from typing import Any

from zoo.errors import VERSION, BundleError, Problem


def check_format(number: Any, newest: int, where: str, writer: Any = None) -> int:
    """Check and return the format version of a file.

    Args:
        number: the value in the file.
        newest: the newest version that can be read.
        where: the file, for error messages.
        writer: the version of polyzoo in the file, if any.

    Raises:
        BundleError: the value is not a positive integer, or newer; the hint names the version to install.
    """
    if type(number) is not int or number < 1:
        what = f"its format is {_as_text(number)}; it must be an integer of 1 or more"
        raise BundleError(Problem(what, where, "restore a good copy, or train again"))
    if number > newest:
        known = writer if isinstance(writer, str) and VERSION.fullmatch(writer) else ""
        made = f"polyzoo {known}" if known else "a newer polyzoo"
        what = f"was written by {made} (format {_as_text(number)}); this version reads up to format {newest}"
        hint = f"pip install -U 'polyzoo>={known}'" if known else "pip install -U polyzoo"
        raise BundleError(Problem(what, where, hint))
    return number


def _as_text(value: Any, length: int = 40) -> str:
    if value is None:
        return "missing"
    try:
        text = json.dumps(value)
    except ValueError:  # an integer of thousands of digits
        return "very large"
    return text if len(text) <= length else f"{text[:length]}…"
