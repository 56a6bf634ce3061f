"""The table of fine-tuning in docs/recipes.md, from the results of benchmarks/studies/finetuning.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.parts.kinds import marked


def table_of_finetuning(file: Path) -> str:
    """A row for each training: how it started, and its nats per frame of held-out pieces."""
    facts = json.loads(file.read_text("utf-8"))
    rows = ["| start | seed | learning rate | steps | nats ↓ |", "| --- | ---: | ---: | ---: | ---: |"]
    rows += [_row(row) for row in facts["rows"]]
    music, trained, scored = facts["music"], facts["trained"], facts["scored"]
    return "\n".join(
        [
            *rows,
            "",
            f"`{facts['model']}`; {trained['pieces']} pieces of {music['name']} "
            f"(music {music['digest'][:12]}), {trained['minutes']} minutes on one core shared with other "
            f"programs; nats per frame of {scored['pieces']} held-out pieces.",
        ]
    )


def _row(row: dict[str, Any]) -> str:
    cells = [row["start"], row["seed"], row.get("lr"), row.get("steps")]
    words = ["–" if cell is None else str(cell) for cell in cells]
    return f"| {' | '.join(words)} | {marked(row['nats'], row['kind'])} |"
