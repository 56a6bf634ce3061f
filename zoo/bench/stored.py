"""Whether a table may rely on a stored result: somebody may have edited or cut the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from typing import Any

from zoo.bench.cell import SCORED, Cell, FloorsCell, own
from zoo.measure.figure import MARKS


def is_whole(content: Any, cell: Cell | FloorsCell) -> bool:
    """Whether all is there that a table needs, a finite number for each piece in each list."""
    try:
        data, made = content["data"], content["made"]
        texts = [data["digest"], *data["planes"]]
        if not (isinstance(made, dict) and isinstance(data["planes"], list) and _are(str, texts)):
            return False
        counts = [(data.get("reading", 1), 1), (data.get("grid", 1), 1), (data.get("leaks", 0), 0)]
        if not all(type(count) is int and count >= least for count, least in counts):
            return False
        if isinstance(cell, FloorsCell):
            return all(_is_floor(found, data["planes"]) for found in content["floors"].values())
        parts, found = content["parts"], content["evaluation"]
        numbers = [content["parameters"], content["validation"] or 0, content["seconds"] if found else 0]
        return (
            isinstance(content["learns"], bool)
            and _are(str, [parts[slot] for slot in own(cell.term)])
            and _are_finite(numbers)
            and (found is None or _is_evaluation(found, SCORED[cell.term], data["planes"]))
        )
    except (KeyError, TypeError, AttributeError, OverflowError):
        # Keys are missing, or other things stand there.
        return False


def _is_floor(found: Mapping[str, Any], planes: Collection[str]) -> bool:
    terms = SCORED["velocity"] if "velocity" in found["terms"] else (*SCORED["core"], *SCORED["decoder"])
    return _is_evaluation(found, terms, planes)


def _is_evaluation(found: Mapping[str, Any], terms: Sequence[str], planes: Collection[str]) -> bool:
    """Whether an evaluation has these terms, as far as the music knows what they are about, and no other."""
    known = {term for term in terms if term != "residual" or "onset" in planes}
    stored, struck = found["terms"].values(), found["struck"]
    families = found.get("families", [])
    lists = [found["frames"], *found["remarks"].values(), *(term["nats"] for term in stored)]
    lists += [term["variance"] for term in stored if term["variance"] is not None]
    lists += [struck] if struck is not None or "velocity" in terms else []
    return (
        found["terms"].keys() == known
        and all(term["kind"] in MARKS for term in stored)
        and len(found["pieces"]) > 0
        and _are(str, found["pieces"])
        and all(len(numbers) == len(found["pieces"]) and _are_finite(numbers) for numbers in lists)
        and _are(int, families)
        and len(families) in (0, len(found["pieces"]))
    )


def _are(kind: type, found: Collection[Any]) -> bool:
    return isinstance(found, list) and all(isinstance(one, kind) for one in found)


def _are_finite(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(map(isfinite, numbers))
