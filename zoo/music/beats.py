"""Read beat files, which state the beats and bars of a MIDI file in seconds.

Three formats are supported:

- POP909 (`beat_midi.txt`): a time, then two columns of 0 and 1 that mark downbeats, counted in bars of two
  and of four beats;
- ASAP (`*_annotations.txt`): two times, then `b` for a beat or `db` for a downbeat, optionally with a time
  signature (`db,3/4,0`);
- a table of a time and, optionally, 1 for downbeats and 0 for other beats, in a file named after the MIDI
  file: `song.beats.csv`, `song.beats.tsv` or `song.beats.txt` next to `song.mid`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError, Problem

Signature = tuple[int, int]

MAX_BYTES = 4 * 2**20
"""Maximum size of a beat file."""
MAX_BEATS = 100_000
ENDINGS = (".beats.csv", ".beats.tsv", ".beats.txt", "_beat_midi.txt", "_annotations.txt")
MAX_TIME = 1e6
"""Seconds; a beat must be earlier."""
MIN_INTERVAL = 1e-6
"""Seconds; two beats must be at least this far apart, which floating-point times up to `MAX_TIME` resolve."""
MARKS = ("b", "db", "bR")
"""ASAP's marks for a beat, a downbeat, and a beat without a note."""
SIGNATURE = re.compile(r"([1-9]\d?)/(1|2|4|8|16|32)")
MIN_STEADINESS = 0.8
"""A column of downbeats is used if at least this share of its bars has the same length."""


@dataclass(frozen=True)
class Beats:
    """The beats of a piece.

    Attributes:
        seconds: (N,) float, times of the beats, increasing; at least two.
        downbeat: (N,) bool, whether a beat is the first of a bar; all false if the file does not say.
        signatures: (index of the beat, upper number, lower number) of the stated time signatures, in order.
    """

    seconds: NDArray[np.float64]
    downbeat: NDArray[np.bool_]
    signatures: Sequence[tuple[int, int, int]] = ()


@dataclass(frozen=True)
class _Line:
    """A line of a beat file: its time, whether it is a downbeat by each column, and a time signature."""

    seconds: float
    downbeat: list[bool]
    signature: Signature | None = None


def find_beats(path: str | Path, siblings: Collection[str] | None = None) -> Path | None:
    """The beat file of a MIDI file; None if there is none.

    `beat_midi.txt` counts only in a folder with the name of the MIDI file, as in POP909 (`001/001.mid`).

    Args:
        path: the MIDI file.
        siblings: the names of all files in its folder, if they are known; saves looking for each name.
    """
    midi = Path(path)
    names = [midi.stem + ending for ending in ENDINGS]
    if midi.absolute().parent.name == midi.stem:
        names.append("beat_midi.txt")
    if siblings is not None:
        names = [name for name in names if name in siblings]
    return next((file for name in names if (file := midi.with_name(name)).is_file()), None)


def read_beats(source: str | Path | bytes, name: str = "") -> Beats:
    """Read a beat file.

    Args:
        source: the file, or its content.
        name: name of the file for errors, if `source` is its content.

    Raises:
        DataError: the file cannot be opened, is too large, or has an invalid line.
    """
    place = name or ("beats" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else _bytes(Path(source))
    if len(data) > MAX_BYTES:
        raise _invalid(place, f"it is larger than {MAX_BYTES // 2**20} MiB")
    text = data.decode("utf-8-sig", errors="replace").splitlines()
    rows = [
        (number, words) for number, line in enumerate(text, 1) if (words := line.replace(",", " ").split())
    ]
    if rows and not _is_number(rows[0][1][0]):
        rows = rows[1:]  # a header
    if len(rows) > MAX_BEATS:
        raise _invalid(place, f"it has more than {MAX_BEATS:,} beats")
    lines = [_line(words, number, place) for number, words in rows]
    if len(lines) < 2:
        raise _invalid(place, "it has fewer than two beats")
    seconds = np.array([line.seconds for line in lines])
    not_increasing = np.flatnonzero(np.diff(seconds) < MIN_INTERVAL)
    if len(not_increasing):
        number, _ = rows[int(not_increasing[0]) + 1]
        raise _invalid(place, f"line {number}: the times do not increase")
    signatures = [(beat, *line.signature) for beat, line in enumerate(lines) if line.signature]
    return Beats(seconds, _downbeats([line.downbeat for line in lines]), signatures)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _invalid(str(path), f"it cannot be opened: {error.strerror or error}") from None


def _line(words: list[str], number: int, place: str) -> _Line:
    if not _is_number(words[0]) or not 0 <= float(words[0]) < MAX_TIME:
        raise _invalid(place, f"line {number}: {words[0][:20]!r} is not a time in seconds")
    mark = next((index for index, word in enumerate(words) if word in MARKS), None)
    if mark is not None:
        match = SIGNATURE.fullmatch(words[mark + 1]) if len(words) > mark + 1 else None
        signature = (int(match[1]), int(match[2])) if match and words[mark] == "db" else None
        return _Line(float(words[0]), [words[mark] == "db"], signature)
    if len(words) > 3 or not all(_is_number(word) and float(word) in (0, 1) for word in words[1:]):
        raise _invalid(place, f"line {number}: after the time, only 1 (first beat of a bar) or 0 may follow")
    return _Line(float(words[0]), [float(word) == 1 for word in words[1:]])


def _is_number(word: str) -> bool:
    try:
        return isfinite(float(word))
    except ValueError:
        return False


def _downbeats(rows: list[list[bool]]) -> NDArray[np.bool_]:
    """The column with the longest bars, among those in which most bars have the same length."""
    count = min((len(row) for row in rows), default=0)
    columns = [np.array([row[index] for row in rows], np.bool_) for index in range(count)]
    steady = [column for column in columns if _steadiness(column) >= MIN_STEADINESS]
    return min(steady or columns or [np.zeros(len(rows), np.bool_)], key=np.count_nonzero)


def _steadiness(downbeat: NDArray[np.bool_]) -> float:
    """The share of bars with the most common number of beats."""
    counts = np.diff(np.flatnonzero(downbeat))
    return float(np.bincount(counts).max() / len(counts)) if len(counts) else 0.0


def _invalid(place: str, what: str) -> DataError:
    hint = "each line is a time in seconds and, optionally, 1 for the first beat of a bar or 0 for any other"
    return DataError(Problem(f"this is not a beat file: {what}", place, hint))
