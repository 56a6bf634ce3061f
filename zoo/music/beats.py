"""Beats: files beside a MIDI file that say where its beats and bars are, in seconds.

Three layouts are read: POP909's (`beat_midi.txt`: a time, then two columns of 0 and 1 that mark the first
beat of a bar counted in two and in four), ASAP's (`*_annotations.txt`: two times, then `b` or `db`, the
latter perhaps with a time signature, `db,3/4,0`), and a plain table of a time and, if known, 1 for the first
beat of a bar and 0 for the others, named like the MIDI file: `song.beats.csv`, `song.beats.tsv` or
`song.beats.txt` beside `song.mid`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError, Problem

Signature = tuple[int, int]

LARGEST = 4 * 2**20
"""Bytes of a file of beats."""
MOST = 100_000
"""Beats in a file."""
ENDINGS = (".beats.csv", ".beats.tsv", ".beats.txt", "_beat_midi.txt", "_annotations.txt")
LATEST = 1e6
"""Seconds; no beat is as late."""
SHORTEST = 1e-6
"""Seconds; no beat is shorter, and arithmetic tells such times apart up to the latest."""
MARKS = ("b", "db", "bR")
"""What ASAP calls a beat, a downbeat, and a beat that no note marks."""
SIGNATURE = re.compile(r"([1-9]\d?)/(1|2|4|8|16|32)")
STEADY = 0.8
"""Least share of equally long bars in a way to count that is believed."""


@dataclass(frozen=True)
class Beats:
    """Where the beats of a piece are.

    Attributes:
        seconds: (N,) increasing, at least two.
        downbeat: (N,) bool, the first beats of bars; all false where the file does not say.
        signatures: (number of the beat, upper number, lower number) of the time signatures that the file
            states, in order.
    """

    seconds: NDArray[np.float64]
    downbeat: NDArray[np.bool_]
    signatures: Sequence[tuple[int, int, int]] = ()


@dataclass(frozen=True)
class _Line:
    """A beat in a file: when, whether it begins a bar by each way to count, and in what meter."""

    seconds: float
    first: list[bool]
    signature: Signature | None = None


def find_beats(path: str | Path) -> Path | None:
    """The file of beats beside a MIDI file, if there is one.

    `beat_midi.txt` is one only in a folder that has the name of the MIDI file, as POP909 has `001/001.mid`.
    """
    midi = Path(path)
    candidates = [midi.with_name(midi.stem + ending) for ending in ENDINGS]
    if midi.absolute().parent.name == midi.stem:
        candidates.append(midi.with_name("beat_midi.txt"))
    return next((file for file in candidates if file.is_file()), None)


def read_beats(source: str | Path | bytes, name: str = "") -> Beats:
    """The beats in a file, or in the bytes of one that is called `name`.

    Raises:
        DataError: it cannot be opened, is too large, or a line is not a beat.
    """
    place = name or ("beats" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else _bytes(Path(source))
    if len(data) > LARGEST:
        raise _refusal(place, f"it is larger than {LARGEST // 2**20} MiB")
    text = data.decode("utf-8-sig", errors="replace").splitlines()
    rows = [
        (number, words) for number, line in enumerate(text, 1) if (words := line.replace(",", " ").split())
    ]
    if rows and not _number(rows[0][1][0]):
        rows = rows[1:]  # a heading
    if len(rows) > MOST:
        raise _refusal(place, f"it has more than {MOST:,} beats")
    lines = [_line(words, number, place) for number, words in rows]
    if len(lines) < 2:
        raise _refusal(place, "it has fewer than two beats")
    seconds = np.array([line.seconds for line in lines])
    early = np.flatnonzero(np.diff(seconds) < SHORTEST)
    if len(early):
        late = int(early[0]) + 1
        raise _refusal(place, f"line {rows[late][0]}: the times do not increase")
    signatures = [(beat, *line.signature) for beat, line in enumerate(lines) if line.signature]
    return Beats(seconds, _downbeats([line.first for line in lines]), signatures)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise _refusal(str(path), f"it cannot be opened: {error.strerror or error}") from None


def _line(words: list[str], number: int, place: str) -> _Line:
    if not _number(words[0]) or not 0 <= float(words[0]) < LATEST:
        raise _refusal(place, f"line {number}: {words[0][:20]!r} is no time in seconds")
    mark = next((at for at, word in enumerate(words) if word in MARKS), None)
    if mark is not None:
        found = SIGNATURE.fullmatch(words[mark + 1]) if len(words) > mark + 1 else None
        signature = (int(found[1]), int(found[2])) if found and words[mark] == "db" else None
        return _Line(float(words[0]), [words[mark] == "db"], signature)
    if len(words) > 3 or not all(_number(word) and float(word) in (0, 1) for word in words[1:]):
        raise _refusal(place, f"line {number}: what follows a time is 1 for the first beat of a bar, or 0")
    return _Line(float(words[0]), [float(word) == 1 for word in words[1:]])


def _number(word: str) -> bool:
    try:
        return isfinite(float(word))
    except ValueError:
        return False


def _downbeats(marks: list[list[bool]]) -> NDArray[np.bool_]:
    """Of several ways to count, the one with the longest bars of which most are equally long."""
    columns = min((len(mark) for mark in marks), default=0)
    ways = [np.array([mark[column] for mark in marks], np.bool_) for column in range(columns)]
    steady = [way for way in ways if _steadiness(way) >= STEADY]
    return min(steady or ways or [np.zeros(len(marks), np.bool_)], key=np.count_nonzero)


def _steadiness(downbeat: NDArray[np.bool_]) -> float:
    """Share of the bars that have the most common number of beats."""
    counts = np.diff(np.flatnonzero(downbeat))
    return float(np.bincount(counts).max() / len(counts)) if len(counts) else 0.0


def _refusal(place: str, what: str) -> DataError:
    hint = "each line is a time in seconds and, if known, 1 for the first beat of a bar and 0 for the others"
    return DataError(Problem(f"this is no file of beats: {what}", place, hint))
