"""Beats: files beside a MIDI file that say where its beats and bars are, in seconds.

Three layouts are read: POP909's (`beat_midi.txt`: a time, then two columns of 0 and 1 that mark the first
beat of a bar counted in two and in four), ASAP's (`*_annotations.txt`: two times, then `b` or `db`, the
latter perhaps with a time signature, `db,3/4,0`), and a plain table of a time and, if known, 1 for the first
beat of a bar and 0 for the others, named like the MIDI file: `song.beats.csv`, `song.beats.tsv` or
`song.beats.txt` beside `song.mid`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError, Problem
from zoo.music.meter import Meter, TimeSignature
from zoo.music.score import Score

Places = NDArray[np.float64]

LARGEST = 4 * 2**20
"""Bytes of a file of beats."""
MOST = 100_000
"""Beats in a file."""
ENDINGS = (".beats.csv", ".beats.tsv", ".beats.txt", "_beat_midi.txt", "_annotations.txt")
MARKS = ("b", "db", "bR")
"""What ASAP calls a beat, a downbeat, and a beat that no note marks."""
SKIPPED = 1.5
"""An interval of this many of its neighbours lacks a beat."""

STEADY = 0.8
"""Least share of equally long bars in a way to count that is believed."""


@dataclass(frozen=True)
class Beats:
    """Where the beats of a piece are.

    Attributes:
        seconds: (N,) increasing, at least two.
        downbeat: (N,) bool, the first beats of bars; all false where the file does not say.
    """

    seconds: Places
    downbeat: NDArray[np.bool_]


def find_beats(path: str | Path) -> Path | None:
    """The file of beats beside a MIDI file, if there is one."""
    midi = Path(path)
    candidates = [midi.with_name(midi.stem + ending) for ending in ENDINGS]
    candidates.append(midi.with_name("beat_midi.txt"))
    return next((file for file in candidates if file.is_file()), None)


def read_beats(source: str | Path | bytes, name: str = "") -> Beats:
    """The beats in a file, or in the bytes of one that is called `name`.

    Raises:
        DataError: it cannot be opened, is too large, or a line is not a beat.
    """
    place = name or str(source)
    data = source if isinstance(source, bytes) else _bytes(Path(source))
    if len(data) > LARGEST:
        raise _refusal(place, f"it is larger than {LARGEST // 2**20} MiB")
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    rows = [(number, _words(line)) for number, line in enumerate(lines, 1) if line.strip()]
    if rows and not _number(rows[0][1][0]):
        rows = rows[1:]  # a heading
    if len(rows) > MOST:
        raise _refusal(place, f"it has more than {MOST:,} beats")
    parsed = [_beat(words, number, place) for number, words in rows]
    if len(parsed) < 2:
        raise _refusal(place, "it has fewer than two beats")
    seconds = np.array([beat[0] for beat in parsed])
    if (np.diff(seconds) <= 0).any():
        late = int(np.flatnonzero(np.diff(seconds) <= 0)[0]) + 1
        raise _refusal(place, f"line {rows[late][0]}: the times do not increase")
    return Beats(seconds, _downbeats([beat[1] for beat in parsed]))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise _refusal(str(path), f"it cannot be opened: {error.strerror or error}") from None


def _words(line: str) -> list[str]:
    """What a line says, without its separators and without what follows a downbeat's name."""
    words = line.replace(",", " ").split() or [line]
    marks = [place for place, word in enumerate(words) if word in MARKS]
    return words[: marks[0] + 1] if marks else words


def _beat(words: list[str], line: int, place: str) -> tuple[float, list[bool]]:
    """The time of a beat, and by each way to count whether it begins a bar."""
    if not _number(words[0]) or not 0 <= float(words[0]) < 1e6:
        raise _refusal(place, f"line {line}: {words[0][:20]!r} is no time in seconds")
    if words[-1] in MARKS:
        return float(words[0]), [words[-1] == "db"]
    if len(words) > 3 or not all(_number(word) and float(word) in (0, 1) for word in words[1:]):
        raise _refusal(place, f"line {line}: what follows a time is 1 for the first beat of a bar, or 0")
    return float(words[0]), [float(word) == 1 for word in words[1:]]


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


def on_beats(score: Score, beats: Beats, grid: int) -> tuple[Places, Places, Meter]:
    """Ticks of the beats, their places in frames, and the meter that the downbeats make.

    Frame 0 is the beat at or after the beginning of the file, so that no note lies before it.
    """
    ticks = _ticks(score, beats.seconds)
    number = _numbers(ticks)
    beat = _beat_length(score, grid)
    first = min(float(score.start.min()), 0.0)
    opening = (ticks[0] - first) / (ticks[1] - ticks[0]) * (number[1] - number[0])
    number = number + int(np.ceil(opening - 0.5 / beat))
    return ticks, (number * beat).astype(np.float64), _meter(number, beats.downbeat, beat, grid)


def _ticks(score: Score, seconds: Places) -> Places:
    """The ticks of times, by the tempo map."""
    changes = sorted({0: 500_000, **dict(score.tempos)}.items())
    at = np.array([tick for tick, _ in changes], np.float64)
    lengths = np.array([tempo for _, tempo in changes]) / score.division / 1e6
    times = np.concatenate([[0.0], np.cumsum(np.diff(at) * lengths[:-1])])
    part = np.maximum(np.searchsorted(times, seconds, side="right") - 1, 0)
    ticks: Places = at[part] + (seconds - times[part]) / lengths[part]
    return ticks


def _numbers(ticks: Places) -> NDArray[np.int64]:
    """The number of each beat; one that the file lacks is counted."""
    intervals = np.diff(ticks)
    usual = np.array([np.median(intervals[max(i - 4, 0) : i + 5]) for i in range(len(intervals))])
    steps = np.where(intervals > SKIPPED * usual, np.rint(intervals / usual), 1)
    return np.concatenate([[0], np.cumsum(steps)]).astype(np.int64)


def _beat_length(score: Score, grid: int) -> int:
    """Frames in a beat: a quarter note, or a dotted one where the file says that the meter is compound."""
    for _, beats, unit in score.signatures[:1]:
        if unit >= 8 and beats % 3 == 0:
            return max(round(TimeSignature(0, beats, unit).beat(grid)), 1)
    return grid


def _meter(number: NDArray[np.int64], downbeat: NDArray[np.bool_], beat: int, grid: int) -> Meter:
    """Bars from downbeat to downbeat; 4/4 from the first beat where none is marked."""
    lines = number[downbeat]
    if len(lines) < 2:
        first = int(lines[0]) if len(lines) else 0
        return Meter.of(offset=-first * beat % (4 * grid), grid=grid)
    counts = np.diff(lines)
    changes = [(int(lines[0]), int(counts[0]))]
    for (_, before), (line, count) in pairwise(zip(lines.tolist(), counts.tolist(), strict=False)):
        if count != before:
            changes.append((int(line), int(count)))
    unit, times = (4, 1) if beat == grid else (8, 3)
    signs = [TimeSignature(line * beat, count * times, unit) for line, count in changes]
    bars = -(-signs[0].frame // int(signs[0].bar(grid)))
    opening = TimeSignature(signs[0].frame - bars * int(signs[0].bar(grid)), signs[0].beats, unit)
    return Meter(grid, (opening, *signs[1:]))


def _refusal(place: str, what: str) -> DataError:
    hint = "each line is a time in seconds and, if known, 1 for the first beat of a bar and 0 for the others"
    return DataError(Problem(f"this is no file of beats: {what}", place, hint))
