"""Chorales as music21 reads them, one line of JSON each: `python -m zoo.data.chorale GRID TITLE...`.

A line lists the chorale on this grid and, if that is another, on sixteenths.

Reading a score takes music21 some 70 ms, so `zoo.data.bach` has several processes do it.
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
from zoo.music.roll import LOWEST_KEY
from zoo.music.rounding import nearest_whole

COLLECT_EVERY = 25
"""Scores between two collections of garbage; Python's own rhythm makes reading a third slower."""


def chorale(score: Any, grid: int) -> dict[str, Any]:
    """The tones of a score as [start, end, key, tied to the tone before], in frames, and its meter.

    The meter lists [bar line, beats, unit] of every time signature; the first bar line lies before 0 by what
    an upbeat lacks. Grace notes are left out, and the few thirty-seconds go to the next sixteenth.
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
    """Time signatures by bar line, written again where a bar before it was cut short."""
    changes: list[list[int]] = []
    line, beats = Fraction(0), [4, 4]
    for measure in part.getElementsByClass("Measure"):
        sign, start, missing = measure.timeSignature, Fraction(measure.offset), Fraction(measure.paddingLeft)
        before, beats = beats, beats if sign is None else [sign.numerator, sign.denominator]
        bar = Fraction(4 * before[0], before[1])
        # A bar that a repeat sign divides goes on behind it: its second half lacks what the first half has.
        regular = any((place - line) % bar == 0 for place in (start, start - missing))
        if not changes:
            line = start - missing
        elif beats != before or not regular:
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
    """Read the scores that the command line names, in their order."""
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
