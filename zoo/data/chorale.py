"""Chorales as music21 reads them, one line of JSON each: `python -m zoo.data.chorale TITLE...`.

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

from zoo.music.roll import FRAMES_PER_QUARTER, LOWEST_KEY

COLLECT_EVERY = 25
"""Scores between two collections of garbage; Python's own rhythm makes reading a third slower."""


def chorale(score: Any) -> dict[str, Any]:
    """The tones of a score as [start, end, key, tied to the tone before], in frames, and its lengths.

    `offset` counts the frames that the first bar lacks where the piece begins with an upbeat. Grace
    notes are left out, and the few thirty-seconds go to the next sixteenth.
    """
    first_bar = score.parts[0].getElementsByClass("Measure").first()
    return {
        "frames": _nearest(score.highestTime),
        "offset": _nearest(first_bar.paddingLeft),
        "tones": [tone for part in score.parts for note in part.flatten().notes for tone in _tones(note)],
    }


def _tones(note: Any) -> Iterator[list[int]]:
    if note.duration.isGrace:
        return
    start = _nearest(note.offset)
    end = max(start + 1, _nearest(note.offset + note.duration.quarterLength))
    for tone in note.notes if note.isChord else [note]:
        tied = tone.tie is not None and tone.tie.type in ("stop", "continue")
        yield [start, end, tone.pitch.midi - LOWEST_KEY, int(tied)]


def _nearest(quarters: Fraction | float) -> int:
    return int(quarters * FRAMES_PER_QUARTER + 0.5)


def main() -> None:
    """Read the scores that the command line names, in their order."""
    gc.disable()
    for number, title in enumerate(sys.argv[1:]):
        if number % COLLECT_EVERY == 0:
            gc.collect()
        print(json.dumps(chorale(corpus.parse(title, forceSource=True))), flush=True)


if __name__ == "__main__":
    main()
