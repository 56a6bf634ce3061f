"""What was found, one small JSON file for each cell; a file is there whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from errno import EACCES
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.bench.cell import Cell, FloorsCell, folder_of, question
from zoo.bench.reading import Reading
from zoo.bench.stored import is_whole
from zoo.errors import Problem, ZooError
from zoo.files import write_file, writing
from zoo.limits import read_bytes

if TYPE_CHECKING:
    from zoo.measure.evaluation import Evaluation
    from zoo.measure.interval import Floats

DIGITS = 4
"""Decimals of a piece's nats that are kept; a piece has hundreds."""


class Results:
    """A folder of results: one file for each cell, in a folder for each music."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, dict[str, Any]] = {}
        self._earlier: dict[str, dict[str, Path]] = {}

    def path(self, cell: Cell | FloorsCell) -> Path:
        """Where the result of a cell is kept."""
        return self.folder_of(cell.data) / f"{cell.name}.json"

    def folder_of(self, data: str) -> Path:
        """Where results on some music are kept."""
        return self.folder / folder_of(data)

    def read(self, cell: Cell | FloorsCell) -> dict[str, Any] | None:
        """The result of a cell; None where it was not done yet.

        Where only an earlier reading of the music has an answer to what the cell asks, it is that one; its
        `Reading` says so.

        Raises:
            ZooError: the file is damaged, or was edited so that no table can rely on it.
        """
        if cell.name in self._known:
            return self._known[cell.name]
        path: Path | None = self.path(cell)
        if path is not None and not path.exists():
            path = self._of_earlier_readings(cell.data).get(question(cell.order("")))
        if path is None:
            return None
        found = _parsed(path)
        if not is_whole(found, cell):
            cure = "remove the file, and `zoo bench run` does this cell again"
            raise ZooError(Problem("this result is damaged", str(path), cure))
        return self._known.setdefault(cell.name, found)

    def write(self, cell: Cell | FloorsCell, result: Mapping[str, Any]) -> None:
        """Keep the result of a cell, in place of one of an earlier reading.

        Raises:
            ZooError: the disk is full, or the folder may not be written.
        """
        path = self.path(cell)
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._known.pop(cell.name, None)
        write_file(path, json.dumps(result, ensure_ascii=False, allow_nan=False) + "\n")
        earlier = self._of_earlier_readings(cell.data).pop(question(cell.order("")), path)
        if earlier != path:
            with writing(earlier):
                earlier.unlink(missing_ok=True)

    def _of_earlier_readings(self, data: str) -> dict[str, Path]:
        """The results of earlier readings of some music, by the question that they answer."""
        folder = self.folder_of(data)
        if data not in self._earlier:
            found = ((path, _parsed(path)) for path in sorted(folder.glob("*.json")))
            self._earlier[data] = {asked: path for path, result in found if (asked := _asked_earlier(result))}
        return self._earlier[data]


def _parsed(path: Path) -> Any:
    """The content of a file; None where it is damaged."""
    try:
        return json.loads(read_bytes(path, "result"))
    except (OSError, ValueError, RecursionError):
        return None


def _asked_earlier(result: Any) -> str | None:
    """The question that a result of an earlier reading answers; None of any other file."""
    try:
        return question(result["order"]) if Reading.of(result).is_earlier else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def prepare(folder: Path, option: str) -> None:
    """Make a folder, before hours go into what could not be kept there.

    Args:
        folder: for results or trainings.
        option: which names another.

    Raises:
        ZooError: it cannot be made or written.
    """
    with writing(folder, f"make room, or name a folder that may be written with {option}"):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))


def kept(found: Evaluation, *names: str) -> dict[str, Any]:
    """An evaluation, or some of its terms, ready for JSON."""
    return {
        "pieces": list(found.digests),
        "frames": _whole(found.frames),
        "struck": None if found.struck is None else _whole(found.struck),
        "terms": {
            name: {
                "kind": term.kind,
                "nats": _short(term.nats),
                "variance": None if term.variance is None else _short(term.variance),
            }
            for name, term in found.terms.items()
            if not names or name in names
        },
        "remarks": {name: _whole(frames) for name, frames in found.remarks.items()},
        "families": list(found.families),
    }


def evaluation(content: Mapping[str, Any]) -> Evaluation:
    """The evaluation that `kept` made ready."""
    from zoo.measure.evaluation import Evaluation, Term

    digests = tuple(content["pieces"])
    return Evaluation(
        titles=digests,
        digests=digests,
        frames=_floats(content["frames"]),
        struck=None if content["struck"] is None else _floats(content["struck"]),
        terms={
            name: Term(
                _floats(term["nats"]),
                term["kind"],
                None if term["variance"] is None else _floats(term["variance"]),
            )
            for name, term in content["terms"].items()
        },
        remarks={name: _floats(frames) for name, frames in content["remarks"].items()},
        families=tuple(content.get("families", ())),
    )


def _short(numbers: Floats) -> list[float]:
    return [round(float(number), DIGITS) for number in numbers]


def _whole(numbers: Floats) -> list[int]:
    return [int(number) for number in numbers]


def _floats(numbers: list[float]) -> Floats:
    import numpy as np

    return np.array(numbers, np.float64)
