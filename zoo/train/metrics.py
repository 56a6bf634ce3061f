"""The metrics of a run: a line of JSON for each step and each validation, read without torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import BundleError, Problem
from zoo.limits import read_bytes
from zoo.parts.kinds import MARKS, FigureKind

METRICS = "metrics.jsonl"
HIGHEST = 1e12
"""Larger nats and seconds are not drawn; only a damaged file has them."""


class MetricsFile:
    """The metrics of the run in a folder; empty before its first step."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / METRICS

    def lines(self) -> list[bytes]:
        """The lines of the file.

        Raises:
            BundleError: the file cannot be read.
        """
        if not self.path.exists():
            return []
        try:
            return read_bytes(self.path, "metrics").splitlines()
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
            hint = "delete it to resume the run without its metrics"
            raise BundleError(Problem(what, str(self.path), hint)) from error

    def events(self) -> Iterator[dict[str, Any]]:
        """The events; damaged lines are skipped."""
        return filter(None, map(parse_event, self.lines()))

    def had_checkpoints(self) -> bool:
        """Whether they go on after a validation, which saves a checkpoint."""
        is_validation = ["nats" in event for event in self.events()]
        return True in is_validation[:-1]

    def validations(self, term: str) -> list[tuple[int, float]]:
        """The learning curve of a term: (step, nats per frame of the validation pieces)."""
        return [
            (event["step"], event["nats"][term]) for event in self.events() if term in event.get("nats", ())
        ]


def kinds(events: Iterable[Mapping[str, Any]]) -> dict[str, FigureKind]:
    """The kind of the nats of each term; older runs did not record it."""
    found: dict[str, FigureKind] = {}
    for event in events:
        found |= {term: kind for term, kind in (event.get("kinds") or {}).items() if kind in list(MARKS)}
    return found


def curves(events: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """The learning curve of each term: (seconds of training, nats per frame of the validation pieces)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for event in events:
        for term, nats in event.get("nats", {}).items():
            if _can_be_drawn(nats) and _can_be_drawn(event.get("seconds")):
                found.setdefault(term, []).append((event["seconds"], nats))
    return found


def parse_event(line: bytes) -> dict[str, Any]:
    """Parse a line; empty if it is damaged, since a run can be resumed without its metrics."""
    try:
        event = json.loads(line)
        values = (value for name in ("losses", "nats") for value in event.get(name, {}).values())
        numbers = [event["step"], event.get("seconds", 0.0), *values]
        is_valid = isinstance(event["step"], int) and all(map(_is_number, numbers))
        is_valid = is_valid and isinstance(event.get("kinds") or {}, dict)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return event if is_valid else {}


def _can_be_drawn(value: Any) -> bool:
    """Whether a value is a number that fits on a chart: differences of larger ones are infinite."""
    return isinstance(value, int | float) and abs(value) < HIGHEST


def _is_number(value: Any) -> bool:
    """Whether a value is a number that fits in 64 bits; it may be infinite."""
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**63)
