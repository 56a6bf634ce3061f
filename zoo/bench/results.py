"""Results of cells, stored as one JSON file per cell or packed into one file of JSON lines per dataset.

A run writes a file for each cell, atomically. `Results.pack` moves these files into the pack of their
dataset, sorted by name, so that a repository holds one file instead of hundreds. If a cell has both, its file
is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from errno import EACCES
from pathlib import Path
from typing import Any

from filelock import FileLock

from zoo.bench.cell import Cell, FloorsCell, folder_of, question
from zoo.bench.reading import READING, MusicReading
from zoo.bench.stored import from_line, is_valid, to_line
from zoo.errors import Problem, ZooError
from zoo.files import write_file, writing
from zoo.limits import read_bytes
from zoo.model.format import check_format
from zoo.train.lock import refuse_links

FORMAT = 1
"""Of a result; it stands in none of them yet."""


class Results:
    """A folder of results: for each dataset a folder of files, a pack, or both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, dict[str, Any]] = {}
        self._packs: dict[str, dict[str, Any]] = {}
        self._earlier: dict[str, dict[str, tuple[Path, Any]]] = {}

    def path(self, cell: Cell | FloorsCell) -> Path:
        """The file for the result of a cell."""
        return self.folder_of(cell.data) / f"{cell.name}.json"

    def folder_of(self, data: str) -> Path:
        """The folder for results on a dataset."""
        return self.folder / folder_of(data)

    def pack_of(self, data: str) -> Path:
        """The file for packed results on a dataset."""
        return self.folder / f"{folder_of(data)}.jsonl"

    def names(self) -> set[str]:
        """The names of all cells that have a result, on any dataset.

        Raises:
            ZooError: a pack is damaged.
        """
        files = {path.stem for path in self.folder.glob("*/*.json")}
        return files.union(name for pack in self.folder.glob("*.jsonl") for name, _ in _lines(pack))

    def has(self, data: str) -> bool:
        """Whether there are results on a dataset."""
        return self.folder_of(data).is_dir() or self.pack_of(data).exists()

    def every(self, data: str) -> dict[str, dict[str, Any]]:
        """Name -> result, of all cells that have a result on a dataset, whichever study asked for it.

        Results that are damaged beyond recognition are left out; `read` reports those that are needed.

        Raises:
            ZooError: the pack of the dataset is damaged.
        """
        files = {path.stem: _parsed(path) for path in sorted(self.folder_of(data).glob("*.json"))}
        return {name: result for name, result in (self._pack(data) | files).items() if _has_question(result)}

    def read(self, cell: Cell | FloorsCell) -> dict[str, Any] | None:
        """The result of a cell, or None.

        If only an earlier reading of the music has a result for the same `question`, that one is returned;
        see `Reading.of`.

        Raises:
            ZooError: the result is damaged, was edited, or is from a newer version.
        """
        if cell.name in self._known:
            return self._known[cell.name]
        stored = self._stored(cell)
        if stored is None:
            return None
        path, result = stored
        _refuse_newer(result, path)
        if not (is_valid(result, cell) and _answers(result, cell)):
            name, unit = (
                ("this result", "file") if path.suffix == ".json" else (f"the result {cell.name}", "line")
            )
            hint = f"remove the {unit}; `zoo bench run` computes it again"
            raise ZooError(Problem(f"{name} is damaged", str(path), hint))
        return self._known.setdefault(cell.name, result)

    def write(self, cell: Cell | FloorsCell, result: Mapping[str, Any]) -> None:
        """Store the result of a cell, replacing one of an earlier reading.

        Raises:
            ZooError: the disk is full, or the folder is not writable.
        """
        path = self.path(cell)
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._known.pop(cell.name, None)
        write_file(path, to_line(result))
        earlier, _ = self._of_earlier_readings(cell.data).pop(question(cell.order("")), (path, None))
        if earlier not in (path, self.pack_of(cell.data)):
            with writing(earlier):
                earlier.unlink(missing_ok=True)

    def pack(self, data: str) -> int:
        """Move the files of a dataset into its pack; returns the number of results in it.

        A result replaces the one of the same name in the pack, and those of an earlier reading that have the
        same `question`. Results of older code of a part are kept: they are used again if that code is.

        Raises:
            UsageError: the pack or a file is a link.
            ZooError: a file or the pack is damaged, a file is not named after its cell, or the folder is not
                writable.
        """
        pack, folder = self.pack_of(data), self.folder_of(data)
        refuse_links(self.folder)
        refuse_links(folder)
        with writing(pack), FileLock(f"{pack}.lock"):
            self._packs.pop(data, None)
            read = {path: _state(path) for path in sorted(folder.glob("*.json"))}
            files = {path: _parsed(path) for path in read}
            packed = dict(self._pack(data))
            for path, result in files.items():
                if not _has_question(result):
                    raise ZooError(Problem("this result is damaged", str(path), "remove the file"))
                if result["order"]["name"] != path.stem:
                    what = f"this is a result of {result['order']['name']}, under another name"
                    hint = "no table reads it: move it out of the folder"
                    raise ZooError(Problem(what, str(path), hint))
                packed[path.stem] = result
            kept = _without_replaced(packed)
            write_file(pack, "".join(to_line(kept[name]) for name in sorted(kept)))
            for path, state in read.items():
                if _state(path) == state:  # `zoo bench run --replace` may have written another result
                    path.unlink(missing_ok=True)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self._packs.pop(data, None)
        return len(kept)

    def _stored(self, cell: Cell | FloorsCell) -> tuple[Path, Any] | None:
        """The file that holds the result of a cell, and its content."""
        path = self.path(cell)
        if path.exists():
            return path, _parsed(path)
        packed = self._pack(cell.data)
        if cell.name in packed:
            return self.pack_of(cell.data), packed[cell.name]
        return self._of_earlier_readings(cell.data).get(question(cell.order("")))

    def _pack(self, data: str) -> dict[str, Any]:
        """Name -> packed result, of a dataset."""
        if data not in self._packs:
            path = self.pack_of(data)
            self._packs[data] = dict(_lines(path)) if path.exists() else {}
        return self._packs[data]

    def _of_earlier_readings(self, data: str) -> dict[str, tuple[Path, Any]]:
        """Question -> file and result, for results of earlier readings of a dataset."""
        if data not in self._earlier:
            files = sorted(self.folder_of(data).glob("*.json"))
            results = [(self.pack_of(data), result) for result in self._pack(data).values()]
            results += [(path, _parsed(path)) for path in files]
            self._earlier[data] = {
                key: (path, result) for path, result in results if (key := _earlier_question(result))
            }
        return self._earlier[data]


def _without_replaced(results: Mapping[str, Any]) -> dict[str, Any]:
    """The results without those of an earlier reading whose question one of the current reading answers."""
    answered = {question(result["order"]) for result in results.values() if not _earlier_question(result)}
    return {name: result for name, result in results.items() if _earlier_question(result) not in answered}


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    """The names and results in a pack.

    Raises:
        ZooError: a line is not JSON or has no name.
    """
    try:
        lines = read_bytes(path, "pack").splitlines()
    except OSError as error:
        raise ZooError(Problem(f"cannot be read: {error.strerror}", str(path))) from error
    for number, line in enumerate(lines, start=1):
        try:
            result = from_line(line)
            name = result["order"]["name"]
            if not isinstance(name, str):
                raise TypeError
            yield name, result
        except (ValueError, RecursionError, KeyError, TypeError):
            hint = "restore the file, or remove the line; `zoo bench run` computes it again"
            raise ZooError(Problem(f"line {number} is damaged", str(path), hint)) from None


def _parsed(path: Path) -> Any:
    """The content of a file, or None if it is damaged, or was packed meanwhile.

    Raises:
        ZooError: it cannot be read, which does not mean that it is damaged.
    """
    try:
        return from_line(read_bytes(path, "result"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise ZooError(
            Problem(what, str(path), "fix its permissions, or remove it; `zoo bench run` computes it again")
        ) from error


def _state(path: Path) -> tuple[int, int] | None:
    """What differs between a file and another one that has replaced it; None if there is none."""
    with suppress(FileNotFoundError):
        stat = path.stat()
        return stat.st_ino, stat.st_mtime_ns
    return None


def _refuse_newer(result: Any, path: Path) -> None:
    """Refuse a result of a newer format or reading; `is_valid` refuses what is neither.

    Raises:
        BundleError: it is one; the hint names the version that reads it.
    """
    if not isinstance(result, dict):
        return
    made, data = result.get("made"), result.get("data")
    number = data.get("reading", 1) if isinstance(data, dict) else 1
    writer = made.get("polyzoo") if isinstance(made, dict) else None
    versions = (("format", result.get("format", 1), FORMAT), ("data.reading", number, READING))
    for name, version, newest in versions:
        if type(version) is int and version > newest:
            check_format(version, newest, f"{path}: {name}", writer)


def _answers(result: Mapping[str, Any], cell: Cell | FloorsCell) -> bool:
    """Whether a result is that of a cell, and not a copy of that of another one.

    The name of a result of an earlier reading is another.
    """
    try:
        order = result["order"]
        return bool(order["name"] == cell.name or question(order) == question(cell.order("")))
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _has_question(result: Any) -> bool:
    """Whether a result says what it answers, and on which music."""
    try:
        return bool(result["order"]["name"] and question(result["order"]) and MusicReading.of(result))
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _earlier_question(result: Any) -> str | None:
    """The question of a result of an earlier reading; None for any other content."""
    try:
        return question(result["order"]) if MusicReading.of(result).is_earlier else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def prepare(folder: Path, option: str, datasets: Iterable[str] = ()) -> None:
    """Create a folder and check that it is writable, before hours of training.

    Args:
        folder: the folder for results or trainings.
        option: the option that chooses another folder, for the error message.
        datasets: the datasets whose results will have folders in it.

    Raises:
        UsageError: it contains a link, by which a study that was sent could overwrite files elsewhere.
        ZooError: the folder cannot be created or written.
    """
    hint = f"free some space, or choose a writable folder with {option}"
    with writing(folder, hint):
        folder.mkdir(parents=True, exist_ok=True)
        _check_writable(folder)
    refuse_links(folder)
    for inside in (folder / folder_of(data) for data in datasets):
        if inside.exists():  # otherwise it is created when the first result is written
            with writing(inside, hint):
                inside.mkdir(exist_ok=True)
                _check_writable(inside)
            refuse_links(inside)


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise PermissionError(EACCES, os.strerror(EACCES))
