"""JSON output; without rich, whose import takes longer than most commands."""

from __future__ import annotations

import json
from typing import Any

from zoo.cli.answer import ANSWER, is_unicode


def print_json(data: Any) -> None:
    """Print data as JSON on standard output."""
    text = json.dumps(data, indent=2, ensure_ascii=not is_unicode(ANSWER), allow_nan=False)
    # Names may contain characters that control a terminal; JSON escapes only some of them.
    text = "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)
    ANSWER.write(text + "\n")
