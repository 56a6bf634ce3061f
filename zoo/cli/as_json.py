"""JSON output; without rich, whose import takes longer than most commands."""

from __future__ import annotations

import json
from typing import Any

from zoo.cli.answer import ANSWER, is_unicode


def print_json(data: Any) -> None:
    """Print data as JSON on standard output."""
    text = json.dumps(data, indent=2, ensure_ascii=not is_unicode(ANSWER), allow_nan=False)
    # Bytes of a file name that are not valid UTF-8 are escaped.
    ANSWER.write(text.encode(errors="backslashreplace").decode() + "\n")
