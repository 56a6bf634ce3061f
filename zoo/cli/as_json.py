"""Results for programs; without rich, which takes longer to import than most answers take to find."""

from __future__ import annotations

import json
from typing import Any

from zoo.cli.answer import ANSWER


def print_json(data: Any) -> None:
    """Data for programs, on standard output."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    # what is no character at all, in the name of a file, is escaped as JSON escapes it
    ANSWER.write(text.encode(errors="backslashreplace").decode() + "\n")
