"""Validation of stored results, which may have been edited or truncated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from typing import Any

from zoo.bench.cell import SCORED, Cell, FloorsCell, slots_of
from zoo.parts.kinds import MARKS

SEAL = "sha256"
"""The field of a result with its checksum."""


def to_line(result: Mapping[str, Any]) -> str:
    """A result as a line of JSON, with a checksum over all its fields."""
    # Read as it will be read: keys are strings then, and tuples lists.
    content = json.loads(json.dumps(result, allow_nan=False))
    return json.dumps({**content, SEAL: _checksum(content)}, ensure_ascii=False) + "\n"


def from_line(line: bytes) -> Any:
    """What a line of JSON holds, without its checksum, which older results do not have.

    Raises:
        ValueError: it is not JSON, or does not match its checksum.
        RecursionError: it is nested too deeply.
    """
    content = json.loads(line)
    seal = content.pop(SEAL, None) if isinstance(content, dict) else None
    if seal is not None and seal != _checksum(content):
        raise ValueError("it does not match its checksum")
    return content


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_valid(content: Any, cell: Cell | FloorsCell) -> bool:
    """Whether a result has all that a table needs, with a finite number for each piece in each list."""
    try:
        data, made = content["data"], content["made"]
        texts = [data["digest"], *data["planes"]]
        if not (isinstance(made, dict) and isinstance(data["planes"], list) and _are(str, texts)):
            return False
        counts = [(data.get("reading", 1), 1), (data.get("grid", 1), 1), (data.get("leaks", 0), 0)]
        counts.append((content.get("format", 1), 1))
        if not all(type(count) is int and count >= least for count, least in counts):
            return False
        if isinstance(cell, FloorsCell):
            return all(_is_floor(floor, data["planes"]) for floor in content["floors"].values())
        parts, evaluation = content["parts"], content["evaluation"]
        numbers = [content["parameters"], content["validation"] or 0, content["seconds"] if evaluation else 0]
        return (
            isinstance(content["learns"], bool)
            and _are(str, [parts[slot] for slot in slots_of(cell.term)])
            and _are_finite(numbers)
            and (evaluation is None or _is_evaluation(evaluation, SCORED[cell.term], data["planes"]))
        )
    except (KeyError, TypeError, AttributeError, OverflowError):
        # A key is missing, or a value has the wrong type.
        return False


def _is_floor(evaluation: Mapping[str, Any], planes: Collection[str]) -> bool:
    terms = SCORED["velocity"] if "velocity" in evaluation["terms"] else (*SCORED["core"], *SCORED["decoder"])
    return _is_evaluation(evaluation, terms, planes)


def _is_evaluation(evaluation: Mapping[str, Any], terms: Sequence[str], planes: Collection[str]) -> bool:
    """Whether an evaluation has exactly the given terms that can be scored on these planes."""
    known = {term for term in terms if term != "residual" or "onset" in planes}
    stored, struck = evaluation["terms"].values(), evaluation["struck"]
    families = evaluation.get("families", [])
    lists = [evaluation["frames"], *evaluation["remarks"].values(), *(term["nats"] for term in stored)]
    lists += [term["variance"] for term in stored if term["variance"] is not None]
    lists += [struck] if struck is not None or "velocity" in terms else []
    return (
        evaluation["terms"].keys() == known
        and all(term["kind"] in MARKS for term in stored)
        and len(evaluation["pieces"]) > 0
        and _are(str, evaluation["pieces"])
        and all(len(numbers) == len(evaluation["pieces"]) and _are_finite(numbers) for numbers in lists)
        and _are(int, families)
        and len(families) in (0, len(evaluation["pieces"]))
    )


def _are(kind: type, values: Collection[Any]) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _are_finite(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(map(isfinite, numbers))
