"""Results of cells: a small JSON file for each, or packed, a file of JSON lines for each music.

A run keeps a file for each cell, which is there whole or not at all. `Results.pack` moves these files into
the pack of their music, sorted by name, so that a repository holds one file instead of hundreds. Where a cell
has both, the file counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from errno import EACCES
from pathlib import Path
from typing import Any

from filelock import FileLock

from zoo.bench.cell import Cell, FloorsCell, folder_of, question
from zoo.bench.reading import Reading
from zoo.bench.stored import is_whole
from zoo.errors import Problem, ZooError
from zoo.files import write_file, writing
from zoo.limits import read_bytes


class Results:
    """A folder of results: for each music a folder of files, a pack, or both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, dict[str, Any]] = {}
        self._packs: dict[str, dict[str, Any]] = {}
        self._earlier: dict[str, dict[str, tuple[Path, Any]]] = {}

    def path(self, cell: Cell | FloorsCell) -> Path:
        """Where the result of a cell is kept."""
        return self.folder_of(cell.data) / f"{cell.name}.json"

    def folder_of(self, data: str) -> Path:
        """Where results on some music are kept."""
        return self.folder / folder_of(data)

    def pack_of(self, data: str) -> Path:
        """Where packed results on some music are kept."""
        return self.folder / f"{folder_of(data)}.jsonl"

    def names(self) -> set[str]:
        """The names of all cells that have a result, whatever the music.

        Raises:
            ZooError: a pack is damaged.
        """
        files = {path.stem for path in self.folder.glob("*/*.json")}
        return files.union(name for pack in self.folder.glob("*.jsonl") for name, _ in _lines(pack))

    def has(self, data: str) -> bool:
        """Whether there are results on some music."""
        return self.folder_of(data).is_dir() or self.pack_of(data).exists()

    def read(self, cell: Cell | FloorsCell) -> dict[str, Any] | None:
        """The result of a cell; None where it was not done yet.

        Where only an earlier reading of the music has an answer to what the cell asks, it is that one; its
        `Reading` says so.

        Raises:
            ZooError: the result is damaged, or was edited so that no table can rely on it.
        """
        if cell.name in self._known:
            return self._known[cell.name]
        stored = self._stored(cell)
        if stored is None:
            return None
        path, result = stored
        if not is_whole(result, cell):
            which = ("this result", "file") if path.suffix == ".json" else (f"the result {cell.name}", "line")
            hint = f"remove the {which[1]}, and `zoo bench run` does this cell again"
            raise ZooError(Problem(f"{which[0]} is damaged", str(path), hint))
        return self._known.setdefault(cell.name, result)

    def write(self, cell: Cell | FloorsCell, result: Mapping[str, Any]) -> None:
        """Keep the result of a cell, in place of one of an earlier reading.

        Raises:
            ZooError: the disk is full, or the folder may not be written.
        """
        path = self.path(cell)
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._known.pop(cell.name, None)
        write_file(path, _line(result))
        earlier, _ = self._of_earlier_readings(cell.data).pop(question(cell.order("")), (path, None))
        if earlier not in (path, self.pack_of(cell.data)):
            with writing(earlier):
                earlier.unlink(missing_ok=True)

    def pack(self, data: str) -> int:
        """Move the files of some music into its pack; returns the number of results in it.

        A result replaces one in the pack that answers the same question, of an earlier reading or yardstick.

        Raises:
            ZooError: a file or the pack is damaged, or the folder may not be written.
        """
        pack, folder = self.pack_of(data), self.folder_of(data)
        with writing(pack), FileLock(f"{pack}.lock"):
            self._packs.pop(data, None)
            files = {path: _parsed(path) for path in sorted(folder.glob("*.json"))}
            packed = {question(result["order"]): result for result in self._pack(data).values()}
            for path, result in files.items():
                try:
                    packed[question(result["order"])] = result
                except (KeyError, TypeError, ValueError, AttributeError):
                    raise ZooError(Problem("this result is damaged", str(path), "remove the file")) from None
            in_order = sorted(packed.values(), key=lambda result: str(result["order"]["name"]))
            write_file(pack, "".join(map(_line, in_order)))
            for path in files:
                path.unlink(missing_ok=True)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self._packs.pop(data, None)
        return len(packed)

    def _stored(self, cell: Cell | FloorsCell) -> tuple[Path, Any] | None:
        """What is stored for a cell, and in which file."""
        path = self.path(cell)
        if path.exists():
            return path, _parsed(path)
        packed = self._pack(cell.data)
        if cell.name in packed:
            return self.pack_of(cell.data), packed[cell.name]
        return self._of_earlier_readings(cell.data).get(question(cell.order("")))

    def _pack(self, data: str) -> dict[str, Any]:
        """The packed results of some music by name."""
        if data not in self._packs:
            path = self.pack_of(data)
            self._packs[data] = dict(_lines(path)) if path.exists() else {}
        return self._packs[data]

    def _of_earlier_readings(self, data: str) -> dict[str, tuple[Path, Any]]:
        """The results of earlier readings of some music and their files, by the question that they answer."""
        if data not in self._earlier:
            files = sorted(self.folder_of(data).glob("*.json"))
            results = [(self.pack_of(data), result) for result in self._pack(data).values()]
            results += [(path, _parsed(path)) for path in files]
            self._earlier[data] = {
                asked: (path, result) for path, result in results if (asked := _asked_earlier(result))
            }
        return self._earlier[data]


def _line(result: Mapping[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False, allow_nan=False) + "\n"


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    """The results in a pack, with their names.

    Raises:
        ZooError: a line is not JSON or has no name.
    """
    try:
        lines = read_bytes(path, "pack").splitlines()
    except OSError as error:
        raise ZooError(Problem(f"cannot be read: {error.strerror}", str(path))) from error
    for number, line in enumerate(lines, start=1):
        try:
            result = json.loads(line)
            name = result["order"]["name"]
            if not isinstance(name, str):
                raise TypeError
            yield name, result
        except (ValueError, RecursionError, KeyError, TypeError):
            hint = "restore the file, or remove the line: `zoo bench run` does its cell again"
            raise ZooError(Problem(f"line {number} is damaged", str(path), hint)) from None


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
