"""Read chorales with music21 and print one line of JSON each: `python -m zoo.data.chorale GRID TITLE...`.

A line is a list with the chorale on the given grid and, if that differs, on sixteenths. music21 needs about
70 ms for a score, so `zoo.data.bach` runs this module in several processes.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from music21 import corpus

from zoo.music.grid import GRID
from zoo.music.rounding import nearest_whole
from zoo.parts.piano import LOWEST_KEY

COLLECT_EVERY = 25
"""Scores between two garbage collections; automatic collection makes reading a third slower."""


def chorale(score: Any, grid: int) -> dict[str, Any]:
    """The tones of a score as [start, end, key, is tied to the previous tone], in frames, and its meter.

    The meter lists [bar line, beats, unit] for every time signature; with an upbeat, the first bar line is
    negative. Grace notes are left out, and the few thirty-second notes are moved to the next sixteenth.
    """
    notes = [note for part in score.parts for note in part.flatten().notes]
    tones = [tone for note in notes for tone in _tones(note, grid)]
    return {
        "grid": grid,
        "frames": max([_nearest(score.highestTime, grid), *(end for _, end, _, _ in tones)]),
        "meter": _meter(score.parts[0], grid),
        "tones": tones,
    }


def _meter(part: Any, grid: int) -> list[list[int]]:
    """Time signatures by bar line; a signature is repeated after a bar that was cut short."""
    changes: list[list[int]] = []
    line, beats = Fraction(0), [4, 4]
    for measure in part.getElementsByClass("Measure"):
        signature = measure.timeSignature
        start, missing = Fraction(measure.offset), Fraction(measure.paddingLeft)
        previous, beats = beats, beats if signature is None else [signature.numerator, signature.denominator]
        bar = Fraction(4 * previous[0], previous[1])
        # A repeat sign may divide a bar into two measures: the second starts in the middle of the bar, which
        # music21 reports as padding on its left.
        regular = any((position - line) % bar == 0 for position in (start, start - missing))
        if not changes:
            line = start - missing
        elif beats != previous or not regular:
            line = start
        else:
            continue
        changes.append([_nearest(line, grid), *beats])
    return changes


def _tones(note: Any, grid: int) -> Iterator[list[int]]:
    if note.duration.isGrace:
        return
    start = _nearest(note.offset, grid)
    end = max(start + 1, _nearest(note.offset + note.duration.quarterLength, grid))
    for tone in note.notes if note.isChord else [note]:
        tied = tone.tie is not None and tone.tie.type in ("stop", "continue")
        yield [start, end, tone.pitch.midi - LOWEST_KEY, int(tied)]


def _nearest(quarters: Fraction | float, grid: int) -> int:
    frames = Fraction(quarters) * grid
    return nearest_whole(frames.numerator, frames.denominator)


def main() -> None:
    """Read the scores given on the command line, in order."""
    gc.disable()
    grids = list(dict.fromkeys([int(sys.argv[1]), GRID]))
    titles = sys.argv[2:]
    for number, title in enumerate(titles):
        if number % COLLECT_EVERY == 0:
            gc.collect()
        score = corpus.parse(title, forceSource=True)
        print(json.dumps([chorale(score, grid) for grid in grids]), flush=True)


if __name__ == "__main__":
    main()
