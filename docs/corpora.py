"""The table of known sets in docs/reading.md, from the results of benchmarks/studies/reading.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADS = (
    "set",
    "music",
    "pieces",
    "families",
    "leaks",
    "on the grid",
    "merged",
    "place in the bar",
    "residual",
)


def table_of_corpora(file: Path) -> str:
    """A row for each set: how it lies on its grid, and what its splits share."""
    rows = ["| " + " | ".join(HEADS) + " |", "| --- | --- |" + " ---: |" * (len(HEADS) - 2)]
    for name, facts in json.loads(file.read_text("utf-8")).items():
        rows.append("| " + " | ".join([name, facts["digest"][:12], *_cells(facts)]) + " |")
    return "\n".join(rows)


def _cells(facts: dict[str, Any]) -> Iterator[str]:
    summary, residual = facts["summary"], facts["residual"]
    yield from (f"{summary['pieces']:,}", f"{facts['families']:,}", f"{facts['leaks']:,}")
    if summary["spread"] is None:  # onsets are not known
        yield from ("–",) * 4
        return
    merged = sum(summary["losses"].get(kind, 0) for kind in ("merged", "struck again"))
    yield f"{1 - summary['off_grid']:.1%}"
    yield f"{merged / summary['notes']:.2%}"
    yield f"{summary['spread']:.3f} / {summary['spread_inside']:.3f}"
    yield f"{residual['onset']:.3f} / {residual['sounding']:.3f}"
